"""What a run promises to those who learn in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ...errors import InvalidInput
from .accountant import Accountant, Release, noise_for
from .budget import Budget
from .clip import bounded
from .lots import checked

WHERE = ("central", "distributed", "local")
ASSUMED: Mapping[str, tuple[str, ...]] = {
    "central": (
        "the server is trusted: it sees each change, adds the noise, keeps its secret; who reads its folder reads both",
    ),
    "distributed": (
        "of those whose changes are added up, all but the colluders add their part of the noise and do not tell it",
        "the masks hold: nobody sees a single change",
    ),
    "local": ("nothing of the server: the noise is in a change before it leaves",),
}
SEEN = "that a device takes part, when, how fast, and how many bytes it sends"
SEEN_BESIDE = "to whoever sees more than models: that a device takes part, when, how fast, and how many bytes it sends"
HIDDEN_NOT = (
    "what all devices have in common: the model is to tell that",
    "devices whose data are alike, as those of one person: they add up",
)


@dataclass(frozen=True, slots=True)
class Privacy:
    """(``epsilon``, ``delta``)-differential privacy of all that a run tells: with one ``unit`` more or less - a device
    with all its samples, or an example - everything that is told is nearly as likely. The run stops before more is.

    clip: the L2 norm that one unit's change, or gradient, is cut to. noise: the standard deviation of the noise over
    ``clip``, of a sum over all. where: who adds it. ``central``: the server. ``distributed``: each device a part,
    before masking. ``local``: each device all of it; of examples, at each step (DP-SGD, Abadi et al., CCS 2016).
    rate: each device takes part in a round with this probability, by a secret lot, and whether it is there at all is
    hidden; None: whoever is asked, accounted as everybody in every round. Cohorts of a fixed size gain nothing: who is
    in one is drawn by a public seed, and where one comes another goes. So what is hidden is what a device sends, not
    that it does: neighbours are runs in which it sends its change or nothing, and all others are asked alike.

    Local noise is all that there is between a device's samples and everybody, so that neighbours are any two sets of
    samples: their changes are up to 2 ``clip`` apart, and that is what is accounted. Of examples it is one more or
    less, at most ``clip``; examples: a number that every device says in place of how many it has, of which the steps
    of a task and the lots of examples are made.

    Distributed noise is of whoever is in a masked sum, which is at least the threshold of a group (:class:`sv.Masked`),
    less ``colluders``: members of a group who may tell the server their part, or add none.
    """

    clip: float
    noise: float
    epsilon: float
    delta: float
    where: Literal["central", "distributed", "local"] = "central"
    rate: float | None = None
    unit: Literal["device", "example"] = "device"
    examples: int | None = None
    colluders: int = 0

    def __post_init__(self) -> None:
        for name in ("clip", "noise"):
            bounded(f"privacy {name}", getattr(self, name))
        Budget(self.epsilon, self.delta)
        if self.where not in WHERE:
            raise InvalidInput("privacy where", self.where, f"give {', '.join(WHERE)}")
        if self.unit not in ("device", "example"):
            raise InvalidInput("privacy unit", self.unit, "give device or example")
        if self.unit == "example" and self.where != "local":
            raise InvalidInput("privacy unit", "example", "only a device can clip each example: give where='local'")
        if self.unit == "device" and self.examples is not None:
            raise InvalidInput("privacy examples", self.examples, "it is for unit='example': leave it out")
        if self.unit == "example" and (type(self.examples) is not int or self.examples < 1):
            fix = "give a whole number >= 1, which all devices say in place of how many they have: that is hidden"
            raise InvalidInput("privacy examples", self.examples, fix)
        if type(self.colluders) is not int or self.colluders < 0:
            raise InvalidInput("privacy colluders", self.colluders, "give a whole number >= 0")
        if self.colluders and self.where != "distributed":
            raise InvalidInput("privacy colluders", self.colluders, "they are of distributed noise: leave it out")
        if self.rate is not None:
            checked(self.rate)
            if self.where != "central":
                fix = "the server sees who answers, so that a lot hides nobody from it: leave it out"
                raise InvalidInput("privacy rate", self.rate, fix)

    @classmethod
    def within(
        cls, epsilon: float, delta: float, rounds: int, clip: float, rate: float | None = None
    ) -> Privacy:  # fmt: skip
        """Central noise, as little as lets ``rounds`` rounds be within (``epsilon``, ``delta``)."""
        return cls(clip, noise_for(epsilon, delta, rounds, rate or 1.0), epsilon, delta, rate=rate)

    def release(self) -> Release:
        """A round, where the noise is one discrete Gaussian: over what neighbours differ by at most."""
        return Release(self.noise * self.clip / self.sensitivity, self.rate or 1.0, discrete=True)

    @property
    def sensitivity(self) -> float:
        """The L2 norm that what neighbours tell differs by, at most, before there is noise."""
        return 2 * self.clip if self.where == "local" and self.unit == "device" else self.clip

    @property
    def budget(self) -> Budget:
        return Budget(self.epsilon, self.delta)

    @property
    def _neighbours(self) -> str:
        if self.unit == "example":
            return "one example more or less on a device; how many it has is not told"
        if self.where == "local":
            return "a device has any other samples; that it was asked is known"
        if self.rate is not None:
            return "one device more or less"
        return "one device sends its change or nothing; that it was asked is known, and the others are the same"

    def statement(self, spent: Accountant) -> dict[str, Any]:
        """What is promised and of what, as JSON has it: to be kept with the model.

        "epsilon": what was spent, against whoever sees every model and nothing else of the run.
        "epsilon_where_cohorts_are_seen": against whoever sees besides which devices took part, as a server does.
        """
        seen = Accountant()
        for release, count in spent.history:
            example = self.unit == "example"  # which of them a device draws, nobody sees
            plain = Release(release.noise, release.rate if example else 1.0, *_rest(release))
            seen.step(plain, count)
        unit = "a device with all its samples" if self.unit == "device" else "an example on a device"
        lots = f"each by a secret lot of probability {self.rate:g}" if self.rate else "whoever was asked"
        return {
            "unit": unit, "neighbours": self._neighbours, "epsilon": round(spent.epsilon(self.delta), 6),
            "delta": self.delta, "epsilon_where_cohorts_are_seen": round(seen.epsilon(self.delta), 6),
            "budget": self.epsilon, "clip": self.clip, "noise": self.noise, "sigma": self.noise * self.clip,
            "sensitivity": self.sensitivity, "colluders": self.colluders,
            "mechanism": "discrete Gaussian on a lattice", "where": self.where, "took_part": lots,
            "releases": sum(count for _, count in spent.history), "accounting": "Renyi", "accountant": spent.state(),
            "assumed": list(ASSUMED[self.where]),
            "not_protected": [SEEN if self.rate is None else SEEN_BESIDE, *HIDDEN_NOT],
        }  # fmt: skip


def _rest(release: Release) -> tuple[bool, int, float, int]:
    return release.discrete, release.members, release.local, release.size
