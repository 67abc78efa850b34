"""Noise that each member of a masked sum adds its part of: nobody has the sum without it."""

from __future__ import annotations

from math import ceil, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput
from .accountant import Release
from .clip import Ints, length
from .noise import discrete_gaussian
from .randomness import Source, system

TAIL = 12  # sigmas: beyond is one draw in 10**32


class TooLarge(ValueError):
    """Values that cannot be sent with noise; ``str()`` says why in one line."""


def local_sigma(noise: float, bound: float, honest: int) -> float:
    """Steps of noise that each adds, so that any ``honest`` of them add ``noise`` times ``bound`` together: the
    threshold of the masks, less the members that may tell the server theirs. bound: the L2 norm in steps that each
    keeps to."""
    if honest < 1:
        raise InvalidInput("honest", honest, "give a whole number >= 1")
    return noise * bound / sqrt(honest)


def release(noise: float, bound: float, honest: int, size: int, rate: float = 1.0) -> Release:
    """What a masked round tells of ``size`` elements, for the accountant. Raises ``InvalidInput`` where a member's part
    is below half a step, of which a sum is no Gaussian: take finer steps."""
    return Release(noise, rate, True, honest, local_sigma(noise, bound, honest), size)


def room(bits: int, sigma: float) -> int:
    """The largest magnitude of a value that leaves room for noise among signed integers of ``bits``."""
    most = (1 << (bits - 1)) - 1 - ceil(TAIL * sigma)
    if most < 1:
        fix = f"noise of {sigma:g} steps takes all of the ring: give more bits, or coarser steps"
        raise InvalidInput("bits", bits, fix)
    return most


def noised(values: npt.NDArray[Any], bound: float, sigma: float, bits: int, source: Source = system) -> Ints:
    """int64: ``values``, whole numbers, plus a discrete Gaussian of ``sigma`` each, within ``bits`` signed bits: what a
    member masks.

    Raises :class:`TooLarge`, and nothing is sent, for values longer than ``bound`` (L2, in steps), and for one beyond
    :func:`room`. That is decided before the noise is drawn: a refusal tells nothing of it. Values never wrap.
    """
    made = np.asarray(values, np.int64)
    if length(made) > bound:
        raise TooLarge(f"a change of {length(made):,.0f} steps where {bound:,.0f} are agreed on")
    most = room(bits, sigma)
    if (largest := int(np.abs(made).max(initial=0))) > most:
        raise TooLarge(f"a value of {largest:,} where {most:,} leave room for noise in {bits} bits")
    made = made + discrete_gaussian(len(made), sigma, source)
    if int(np.abs(made).max(initial=0)) >= 1 << (bits - 1):  # once in 10**32 elements
        raise TooLarge("noise beyond the ring")
    return made
