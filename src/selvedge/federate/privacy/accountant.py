"""What has been told so far, as Renyi differential privacy: a pure sum, one curve a release.

D(alpha) is the Renyi divergence of order alpha between what is told with one contributor and without, in either
direction (Mironov, CSF 2017, arXiv:1702.07476): neighbours differ by one who is there or is not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from math import erfc, exp, expm1, isfinite, log, log1p, pi, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput
from .clip import bounded
from .lots import checked

Floats = npt.NDArray[np.float64]
# Opacus' own, and larger ones for small epsilons.
ORDERS = (
    *(1 + i / 10 for i in range(1, 100)), *map(float, range(12, 64)), 64.0, 80.0, 96.0, 128.0, 192.0, 256.0, 512.0
)  # fmt: skip
MOST_NOISE = 1e4
SERIES = -30.0  # log of the terms at which the series ends


@dataclass(frozen=True, slots=True)
class Release:
    """A noised sum, told once. noise: sigma over what one contributor moves at most (L2). rate: the probability that a
    contributor is in it, by a lot of its own that nobody sees; 1 where somebody else chose, or who looks can tell.

    discrete: of the discrete Gaussian. Its curve is at most the Gaussian's (Canonne et al., arXiv:2004.00010, theorem
    4); a subsampled one is known at whole orders, and between them by convexity.

    members, local, size: where the noise is a sum of so many discrete Gaussians of ``local`` steps each, in ``size``
    elements, which is no discrete Gaussian: its distance from one is added (Kairouz et al., arXiv:2102.06387,
    proposition 14).
    """

    noise: float
    rate: float = 1.0
    discrete: bool = False
    members: int = 1
    local: float = 0.0
    size: int = 0

    def __post_init__(self) -> None:
        if not bounded("noise", self.noise) <= MOST_NOISE:
            raise InvalidInput("noise", self.noise, f"give at most {MOST_NOISE:g}")
        checked(self.rate)
        if self.members > 1 and not (self.discrete and self.local >= 0.5 and self.size >= 1):
            fix = "a sum of discrete noise has local steps of 0.5 or more, and a size"
            raise InvalidInput("members", self.members, fix)


@dataclass(slots=True)
class Accountant:
    """``history``: what was released and how often; it composes across rounds and runs by addition."""

    history: list[tuple[Release, int]] = field(default_factory=list)

    def step(self, release: Release, count: int = 1) -> None:
        """Count ``count`` more."""
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise InvalidInput("releases", count, "give a whole number >= 1")
        if self.history and self.history[-1][0] == release:
            self.history[-1] = release, self.history[-1][1] + count
        else:
            self.history.append((release, count))

    def after(self, release: Release, count: int = 1) -> Accountant:
        """What it would be behind ``count`` more."""
        made = Accountant(list(self.history))
        made.step(release, count)
        return made

    def renyi(self, orders: Sequence[float] = ORDERS) -> Floats:
        """D(alpha) at ``orders``."""
        total = np.zeros(len(orders))
        for release, count in self.history:
            total += count * np.array(curve(release, tuple(orders)))
        return total

    def epsilon(self, delta: float, orders: Sequence[float] = ORDERS) -> float:
        """The epsilon of (epsilon, ``delta``), 0 where nothing was told."""
        return epsilon_of(self.renyi(orders), delta, orders) if self.history else 0.0

    def state(self) -> list[dict[str, Any]]:
        """As JSON has it."""
        return [{**asdict(release), "count": count} for release, count in self.history]

    @classmethod
    def of(cls, state: Sequence[Mapping[str, Any]]) -> Accountant:
        """Raises ``InvalidInput`` for what :meth:`state` did not make."""
        made = cls()
        try:
            for row in state:
                made.step(Release(**{n: v for n, v in row.items() if n != "count"}), row["count"])
        except (TypeError, KeyError, AttributeError) as error:
            raise InvalidInput("accountant", "of another form", f"give what state() returned ({error})") from None
        return made


def epsilon_of(renyi: Floats, delta: float, orders: Sequence[float] = ORDERS) -> float:
    """min over alpha of D + log((alpha - 1) / alpha) - (log delta + log alpha) / (alpha - 1), at least 0 (Canonne et
    al., arXiv:2004.00010, proposition 12; Balle et al., AISTATS 2020, theorem 21)."""
    if isinstance(delta, bool) or not isinstance(delta, int | float) or not 0 < delta < 1:
        raise InvalidInput("delta", delta, "give a probability above 0, below 1")
    alpha = np.asarray(orders, np.float64)
    return max(0.0, float(np.min(renyi + np.log1p(-1 / alpha) - (log(delta) + np.log(alpha)) / (alpha - 1))))


def noise_for(
    epsilon: float, delta: float, rounds: int, rate: float = 1.0, discrete: bool = True
) -> float:  # fmt: skip
    """The least noise, to 1 in 1,000 and from above, of which ``rounds`` releases stay within (epsilon, delta)."""
    bounded("epsilon", epsilon)

    def spends(noise: float) -> float:
        return Accountant([(Release(noise, rate, discrete), rounds)]).epsilon(delta)

    low, high = 0.05, 1.0
    while spends(high) > epsilon:
        low, high = high, 2 * high
        if high > MOST_NOISE:
            raise InvalidInput("epsilon", epsilon, f"no noise to {MOST_NOISE:g} does: give more, or fewer rounds")
    if spends(low) <= epsilon:
        return low
    while high / low > 1.001:
        middle = sqrt(low * high)
        low, high = (middle, high) if spends(middle) > epsilon else (low, middle)
    return high


@lru_cache(maxsize=256)
def curve(release: Release, orders: tuple[float, ...] = ORDERS) -> tuple[float, ...]:
    """D(alpha) of one release at ``orders``, each above 1."""
    if not all(isfinite(alpha) and alpha > 1 for alpha in orders):
        raise InvalidInput("orders", orders, "give finite numbers above 1")
    if release.rate == 1:
        return tuple(_base(release, alpha) for alpha in orders)
    if not release.discrete:
        return tuple(_gaussian(release.rate, release.noise, alpha) / (alpha - 1) for alpha in orders)
    return tuple(_between(release, alpha) / (alpha - 1) for alpha in orders)


def _base(release: Release, alpha: float) -> float:
    """Without sampling."""
    plain = alpha / (2 * release.noise**2)
    if release.members == 1:
        return plain
    away, root = tau(release.members, release.local), sqrt(release.size)
    return min(plain + away * release.size, alpha / 2 * (1 / release.noise + away * root) ** 2)


def tau(members: int, local: float) -> float:
    """How far a sum of ``members`` discrete Gaussians of ``local`` >= 0.5 steps is from one (proposition 9 there):
    the largest |log| of the ratio of their probabilities."""
    k = np.arange(1, members)
    return 10 * float(np.sum(np.exp(-2 * pi**2 * local**2 * k / (k + 1))))


def _between(release: Release, alpha: float) -> float:
    """(alpha - 1) D(alpha) is convex and 0 at 1: between whole orders it is below the chord."""
    low = int(alpha)
    share = alpha - low
    below = _whole(release, low) if low > 1 else 0.0
    return below if not share else (1 - share) * below + share * _whole(release, low + 1)


@lru_cache(maxsize=4096)
def _whole(release: Release, alpha: int) -> float:
    """log sum over k of C(alpha, k) (1 - q)**(alpha - k) q**k exp((k - 1) D(k)): what mixing adds, for noise that is
    symmetric (Mironov, Talwar & Zhang, arXiv:1908.10530, section 3.3: the map x -> shift - x swaps the two, so that
    theorem 5 holds; Zhu & Wang, ICML 2019, theorem 6)."""
    k = np.arange(alpha + 1)
    grown = np.array([(i - 1) * _base(release, i) if i > 1 else 0.0 for i in range(alpha + 1)])
    logs = _log_choose(alpha) + k * log(release.rate) + (alpha - k) * log1p(-release.rate) + grown
    most = float(logs.max())
    return max(0.0, most + log(float(np.sum(np.exp(logs - most)))))


def _log_choose(n: int) -> Floats:
    """Of 0..n out of n."""
    steps = np.log(np.arange(n, 0, -1)) - np.log(np.arange(1, n + 1))
    return np.concatenate([[0.0], np.cumsum(steps)])


def _gaussian(q: float, sigma: float, alpha: float) -> float:
    """log A(alpha) of the Gaussian: the sum above at whole orders, two series between them (section 3.3 there)."""
    if float(alpha).is_integer():
        return _whole(Release(sigma, q), int(alpha))
    left = right = -np.inf
    border = sigma**2 * log(1 / q - 1) + 0.5
    sign, size, i = 1, 0.0, 0  # of the binomial coefficient, and its logarithm
    while True:
        j = alpha - i
        first = size + i * log(q) + j * log1p(-q) + (i * i - i) / (2 * sigma**2)
        second = size + j * log(q) + i * log1p(-q) + (j * j - j) / (2 * sigma**2)
        first += log(0.5) + _log_erfc((i - border) / (sqrt(2) * sigma))
        second += log(0.5) + _log_erfc((border - j) / (sqrt(2) * sigma))
        left, right = _added(left, first, sign), _added(right, second, sign)
        if max(first, second) < SERIES:
            return max(0.0, _added(left, right, 1))
        sign = sign if alpha > i else -sign
        size += log(abs(alpha - i)) - log(i + 1)
        i += 1


def _added(a: float, b: float, sign: int) -> float:
    """log(exp(a) + sign exp(b)); -inf where nothing is left."""
    low, high = min(a, b), max(a, b)
    if low == -np.inf:
        return high
    if sign > 0:
        return high + log1p(exp(low - high))
    return b + log(expm1(a - b)) if a - b > 0 and a - b < 700 else a if a > b else -np.inf


def _log_erfc(x: float) -> float:
    if x < 25:
        return log(erfc(x))
    square = 1 / (2 * x * x)  # erfc is below the smallest float64 soon: its series
    return -x * x - log(x * sqrt(pi)) + log1p(-square * (1 - 3 * square * (1 - 5 * square)))
