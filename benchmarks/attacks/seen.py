"""What a server sees of several devices: their sum, unmasked; one of them, masked; and either with noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.masked import ours
from selvedge.federate.keys import SIGNATURE
from selvedge.federate.masking import ring, wire
from selvedge.federate.privacy.accountant import Accountant, Release
from selvedge.federate.privacy.clip import whole
from selvedge.federate.privacy.noise import discrete_gaussian

Array = npt.NDArray[np.floating]
BITS = 16  # of a value in the ring: so many that rounding protects nobody
SIGMA = 256.0  # steps of noise: the lattice is as fine beside any amount of it
DELTA = 1e-5


@dataclass(frozen=True, slots=True)
class Masked:
    """``mean``: of the unmasked sum; ``input``: what the first device sent, as numbers; both float64 [size]."""

    mean: Array
    input: Array


def step(changes: Array) -> float:
    """That all of ``changes`` [devices, size] share, in which the largest takes :data:`BITS` bits."""
    return float(np.abs(changes).max()) / (2 ** (BITS - 1) - 1)


def mean(changes: Array) -> Array:
    """float64 [size], of the exact sum in steps: what :func:`masked` unmasks, without the masks."""
    each = step(changes)
    return _whole(changes, each).sum(0) * each / len(changes)


def masked(changes: Array) -> Masked:
    """Through both sides of the protocol, every stage of it."""
    each = step(changes)
    numbers = _whole(changes, each)
    agreed = ours.terms(ours.names(len(changes)), changes.shape[1], BITS)
    rows = dict(zip(agreed.cohort, numbers.astype(np.int32), strict=True))
    first = agreed.cohort[0]
    spent = ours.through(agreed, rows.__getitem__, keep=(first,))
    assert spent.total is not None
    words = np.zeros(agreed.size, ring.word(agreed.width))
    packed = wire.body(spent.masked[first], "input", agreed, True)[:-SIGNATURE]
    ring.add(words, packed, agreed.width)
    return Masked(spent.total * each / len(changes), ring.signed(words, agreed.width).astype(np.float64))


def noised(changes: Array, multiplier: float, source: Callable[[int], bytes], clip: float | None = None) -> Array:
    """The mean of ``changes`` [devices, size], each cut to a length of ``clip`` (None: the median of their lengths),
    with discrete Gaussian noise of ``multiplier`` times that on their sum: float64 [size]."""
    clip = float(np.median(np.linalg.norm(changes, axis=1))) if clip is None else clip
    each = multiplier * clip / SIGMA
    total = sum(whole(change, clip, each) for change in changes) + discrete_gaussian(changes.shape[1], SIGMA, source)
    return np.asarray(total * each / len(changes))


def epsilon(multiplier: float, rounds: int = 1) -> float:
    """Of a device that is in all ``rounds``, with a delta of :data:`DELTA`."""
    return Accountant([(Release(multiplier, 1.0, True), rounds)]).epsilon(DELTA)


def _whole(changes: Array, each: float) -> npt.NDArray[np.int64]:
    return np.rint(changes / each).astype(np.int64)
