"""The discrete Gaussian, exactly (Canonne, Kamath & Steinke, NeurIPS 2020, arXiv:2004.00010, algorithms 1 to 3).

Whole numbers throughout: no logarithm is rounded, so that no low bit of a floating-point number tells what was hidden.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor, isfinite

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput
from .randomness import Source, Words, system

Ints = npt.NDArray[np.int64]
LEAST, MOST = 2.0**-5, 2.0**24  # of sigma
WHOLE = 2.0**11 - 1  # from which on it is a whole number: else squares leave 63 bits
SQUARE = 1 << 22  # t**2 times the variance's denominator, at most
FAR = 512  # times t: what is farther, e**-512 of all, would leave 63 bits and is drawn again


def discrete_gaussian(count: int, sigma: float, source: Source = system) -> Ints:
    """int64 [count], independent: x with probability proportional to exp(-x**2 / (2 sigma**2)).

    The variance is ``sigma``**2, or above it by less than 2**-20 of it where sigma >= 1: it is made a fraction whose
    denominator is a power of two; above :data:`WHOLE` sigma is the next whole number. source: the system's secrets;
    another one, to draw the same again.

    Raises ``InvalidInput`` for a sigma outside :data:`LEAST`..:data:`MOST`: take another step of the lattice.
    """
    if isinstance(sigma, bool) or not isinstance(sigma, int | float) or not isfinite(sigma):
        raise InvalidInput("sigma", sigma, "give a finite number")
    if not LEAST <= sigma <= MOST:
        raise InvalidInput("sigma", sigma, f"give {LEAST:g} to {MOST:g} steps: take a finer or a coarser step")
    words, made, filled = Words(source), np.empty(count, np.int64), 0
    t = floor(sigma) + 1 if sigma < WHOLE else ceil(sigma)
    while filled < count:
        drawn = _laplace(words, t, 2 * (count - filled) + 16)
        drawn = drawn[np.abs(drawn) < FAR * t]
        size = np.abs(drawn)
        kept = _kept(words, size, t, Fraction(sigma) ** 2) if sigma < WHOLE else _kept_whole(words, size, t)
        found = drawn[kept][: count - filled]
        made[filled : filled + len(found)] = found
        filled += len(found)
    return made


def _kept(words: Words, sizes: Ints, t: int, variance: Fraction) -> npt.NDArray[np.bool_]:
    """Algorithm 3: True with probability exp(-(size - variance / t)**2 / (2 variance))."""
    denominator = 1 << ((SQUARE // t**2).bit_length() - 1)
    numerator = ceil(variance * denominator)
    away = sizes * (t * denominator) - numerator
    return _bernoulli_exp(words, away * away, 2 * numerator * denominator * t * t)


def _kept_whole(words: Words, sizes: Ints, sigma: int) -> npt.NDArray[np.bool_]:
    """The like where t is sigma: exp(-(size - sigma)**2 / (2 sigma**2)), its exponent in three parts, each of which is
    a lot of its own, and in 63 bits: with size - sigma = a sigma + b, a**2 / 2 + a b / sigma + b**2 / (2 sigma**2)."""
    away = sizes - sigma
    times = np.maximum(away, 0) // sigma
    rest = away - times * sigma  # -sigma..sigma - 1
    kept = _bernoulli_exp(words, times * times, 2)
    kept &= _bernoulli_exp(words, np.where(times > 0, times * rest, 0), sigma)
    kept &= _bernoulli_exp(words, rest * rest, 2 * sigma * sigma)
    return kept


def _laplace(words: Words, t: int, tries: int) -> Ints:
    """Algorithm 2, of scale t: x with probability proportional to exp(-\\|x\\| / t); about half of ``tries`` come."""
    low = words.below(t, tries)
    low = low[_bernoulli_exp(words, low, t)]
    high, more = np.zeros(len(low), np.int64), np.arange(len(low))
    while len(more):
        more = more[_once(words, len(more))]
        high[more] += 1
    size, minus = low + t * high, words.below(2, len(low)) == 1
    return np.asarray(np.where(minus, -size, size)[~(minus & (size == 0))])


def _bernoulli_exp(words: Words, numerators: Ints, denominator: int) -> npt.NDArray[np.bool_]:
    """Algorithm 1: True with probability exp(-numerator / denominator), each >= 0."""
    whole, rest = numerators // denominator, numerators % denominator
    true = np.ones(len(numerators), bool)
    number = 1
    while len(more := np.flatnonzero(true & (whole >= number))):
        true[more] = _once(words, len(more))
        number += 1
    alive = np.flatnonzero(true)
    return _parity(words, true, alive, rest, denominator)


def _once(words: Words, count: int) -> npt.NDArray[np.bool_]:
    """True with probability 1 / e."""
    return _parity(words, np.ones(count, bool), np.arange(count), np.ones(count, np.int64), 1)


def _parity(
    words: Words, true: npt.NDArray[np.bool_], alive: npt.NDArray[np.intp], rest: Ints, denominator: int
) -> npt.NDArray[np.bool_]:
    """``true``, at ``alive`` with probability exp(-rest / denominator), each of 0..1: how long a run of lots is, of
    rest / denominator, half of it, a third, ... is odd so often."""
    number = 1
    while len(alive):
        on = words.below(denominator * number, len(alive)) < rest[alive]
        true[alive[~on]] = number % 2 == 1
        alive = alive[on]
        number += 1
    return true
