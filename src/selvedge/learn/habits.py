"""How a learner learns."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from ..errors import InvalidInput

DRIFTS = ("ignore", "more", "reset", "variant")
Rate = float | Literal["auto"] | None
AUTO = 32  # samples remembered, of which a rate can be found


def require_rate(rate: object) -> None:
    """Raises ``InvalidInput`` for what is no :data:`Rate`."""
    number = isinstance(rate, int | float) and not isinstance(rate, bool) and math.isfinite(rate) and rate > 0
    if not (rate is None or rate == "auto" or number):
        raise InvalidInput("rate", rate, "give a number above 0, or auto")


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """One set serves every recipe of ours.

    every: new samples of a round.
    steps: updates for each of them.
    rate: of learning; None: as the plan's schedule says; "auto": found on the device (:func:`auto_rate`) as soon as
    ``AUTO`` samples are remembered, and until then the schedule's.
    shares: of a batch - new samples, remembered ones, the anchor's.
    hold_out: of so many samples one judges and is not learnt from; 0: none.
    alpha: the chance, over a whole life, that something is committed without being better.
    error: the chance, over a whole life, that a commit has lost more where it began than the anchor's margin, at most.
    shadow: predictions that judge, as a share of the work of learning.
    warm: samples that a new candidate learns from before it is judged.
    drop: the wealth (:class:`Evidence`) at which a candidate is given up.
    blends: how far what is judged and committed goes from the starting weights to the candidate's, falling (Wortsman et
    al., *Robust fine-tuning of zero-shot models*, arXiv:2109.01903: half of the way has most of the gain and hardly any
    of the loss). With an anchor it begins at the middle one; a refusal goes one down, a commit that
    lost at most half of what it may one up.
    drift: what a drift asks for: "ignore"; "more", twice the steps for the next ``boost`` samples; "reset", the
    starting weights; or "variant", another model, by :attr:`Learner.asks`.

    Raises ``InvalidInput`` for what cannot be.
    """

    every: int = 8
    steps: int = 4
    rate: Rate = None
    shares: tuple[float, float, float] = (0.25, 0.25, 0.5)
    hold_out: int = 8
    alpha: float = 0.2
    error: float = 0.05
    shadow: float = 0.2
    warm: int = 8
    drop: float = 0.02
    blends: tuple[float, ...] = (1.0, 0.7, 0.5, 0.35, 0.2)
    drift: str = "more"
    boost: int = 200

    def __post_init__(self) -> None:
        for name, least in (("every", 1), ("steps", 1), ("hold_out", 0), ("warm", 0), ("boost", 1)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise InvalidInput(name, value, f"give a whole number >= {least}")
        for name in ("alpha", "error", "drop"):
            if not 0 < getattr(self, name) < 1:
                raise InvalidInput(name, getattr(self, name), "give a number above 0 and below 1")
        if not (math.isfinite(self.shadow) and self.shadow > 0):
            raise InvalidInput("shadow", self.shadow, "give a share above 0, as 0.2")
        require_rate(self.rate)
        if len(self.shares) != 3 or min(self.shares) < 0 or not 0 < sum(self.shares) < math.inf:
            raise InvalidInput("shares", self.shares, "give three shares of a batch, as (0.3, 0.4, 0.3)")
        falling = all(a > b for a, b in pairwise(self.blends))
        if not self.blends or not falling or not all(0 < b <= 1 for b in self.blends):
            raise InvalidInput("blends", self.blends, "give falling numbers above 0 and up to 1, as (1.0, 0.5)")
        if self.drift not in DRIFTS:
            raise InvalidInput("drift", self.drift, f"give one of {', '.join(DRIFTS)}")
