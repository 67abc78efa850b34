"""Noise that each member of a masked sum adds its part of: nobody has the sum without it."""

from __future__ import annotations

from math import sqrt

from ...errors import InvalidInput
from .accountant import Release

TAIL = 12  # sigmas: beyond is one draw in 10**32


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
