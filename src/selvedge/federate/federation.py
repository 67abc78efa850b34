"""How a run goes, fixed before its first round."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import ceil
from typing import Any, Literal

from ..errors import InvalidInput
from .aggregate.optimizer import ServerOptimizer
from .codec.named import codec
from .local import Local, number, whole
from .masked import Masked
from .masking import composes
from .privacy.settings import Privacy

RULES = ("mean", "median", "trimmed", "krum")


@dataclass(frozen=True, slots=True)
class Federation:
    """mode: ``rounds`` asks ``clients`` * ``over`` devices and goes on with the first ``clients`` answers, or, after
    ``deadline`` seconds, with those that there are, at least ``least``; ``buffered`` keeps so many busy and goes on
    with every ``clients`` answers, older ones multiplied by (1 + age)**-``fade``; what the sum of all is divided by
    does not fade, so that by old answers a model moves less (FedBuff, Nguyen et al., AISTATS 2022, algorithm 1).

    rounds: how often the model moves. up, down: codecs by text (:func:`~.codec.named.codec`); ``difference``: the
    server sends what changed, by ``down``, to those that have an earlier model, up to ``history`` versions old; else
    the model itself. rule: what is made of the changes; what it needs besides is in ``robust``. bound: no element of a
    change may be larger. weights: what the weights of a round may come to. most_samples: that a device may say it
    has, beyond which its change is refused; None: a ``clients``-th of ``weights``. patience: rounds in a row that may
    pass their deadline with too few answers. masked: the server learns sums of changes, and no change; each device then
    counts alike. privacy: how much is told of a device; then all changes weigh the same, and what the sum is
    divided by is ``clients``, where the server adds the noise.
    """

    name: str
    rounds: int
    clients: int
    mode: Literal["rounds", "buffered"] = "rounds"
    over: float = 1.0
    least: int = 1
    deadline: float = 600.0
    fade: float = 0.5
    patience: int = 3
    up: str = "float32"
    down: str = "float32"
    difference: bool = False
    history: int = 16
    rule: Literal["mean", "median", "trimmed", "krum"] = "mean"
    robust: Mapping[str, Any] = field(default_factory=dict)
    optimizer: ServerOptimizer = field(default_factory=ServerOptimizer)
    local: Local = field(default_factory=Local)
    bound: float = 64.0
    weights: int = 1 << 24
    seed: int = 0
    most_samples: int | None = None
    masked: Masked | None = None
    privacy: Privacy | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name or len(self.name) > 100:
            raise InvalidInput("run name", self.name, "give 1 to 100 characters")
        if self.mode not in ("rounds", "buffered"):
            raise InvalidInput("mode", self.mode, "give rounds or buffered")
        for name, low in (
            ("rounds", 1),
            ("clients", 1),
            ("least", 1),
            ("patience", 0),
            ("history", 1),
            ("weights", 1),
            ("seed", 0),
        ):
            whole(name, getattr(self, name), low)
        number("over", self.over, 1)
        number("deadline", self.deadline, 0, above=True)
        number("fade", self.fade, 0)
        number("bound", self.bound, 0, above=True)
        if self.seed >= 1 << 63 or self.bound >= 1 << 30 or not isinstance(self.difference, bool):
            said = f"{self.seed}, {self.bound}, {self.difference}"
            raise InvalidInput("seed, bound, difference", said, "give less than 2**63, less than 2**30, True or False")
        if not isinstance(self.local, Local) or not isinstance(self.optimizer, ServerOptimizer):
            raise InvalidInput("local, optimizer", "of another type", "give sv.Local and sv.ServerOptimizer")
        if self.weights < self.clients:
            raise InvalidInput("weights", self.weights, f"give at least clients, {self.clients}")
        if self.most_samples is not None:
            whole("most_samples", self.most_samples, 1)
        if self.least > self.clients:
            raise InvalidInput("least", self.least, f"give at most clients, {self.clients}")
        codec(self.up), codec(self.down)
        if self.rule not in RULES:
            raise InvalidInput("rule", self.rule, f"give {', '.join(RULES)}")
        _robust(self.rule, self.robust, self.least)
        if not self.difference and any(p in self.down for p in ("top:", "seeded:", "sign", "rank:")):
            raise InvalidInput("down", self.down, "that leaves most of a model out: give difference=True")
        if self.local.scaffold and (self.rule != "mean" or self.mode != "rounds"):
            raise InvalidInput("scaffold", f"with {self.rule}, {self.mode}", "it is a mean, in rounds")
        if self.masked is not None:
            if not isinstance(self.masked, Masked):
                raise InvalidInput("masked", f"of type {type(self.masked).__name__}", "give sv.Masked(...)")
            composes.check(self)
        if self.privacy is not None:
            _private(self)

    @property
    def asked(self) -> int:
        """Devices of one round; or, buffered, that are busy at once."""
        return ceil(self.clients * self.over)

    @property
    def fewest(self) -> int:
        """Answers without which there is no round: ``least``, and of masked ones as many as a sum is of at least."""
        return self.least if self.masked is None else max(self.least, self.masked.covered)

    @property
    def heaviest(self) -> int:
        """What a change may weigh: none leaves the others of a round without room."""
        share = self.weights // self.clients
        return share if self.most_samples is None else min(self.most_samples, share)

    def text(self) -> str:
        """As JSON, for the journal. A run without masks or privacy has the text that it had before there were such."""
        said = asdict(self)
        for name in ("masked", "privacy"):
            if said[name] is None:
                del said[name]
        return json.dumps(said, sort_keys=True)


def _private(given: Federation) -> None:
    """Whether what one device can move at most is known, in each of the settings."""
    privacy = given.privacy
    if not isinstance(privacy, Privacy):
        raise InvalidInput("privacy", "of another type", "give sv.Privacy")
    if given.rule != "mean":
        raise InvalidInput("privacy", f"with {given.rule}", "it is a sum that noise is made for: give rule='mean'")
    if given.mode != "rounds":
        raise InvalidInput("privacy", f"with {given.mode}", "a device may be in many moves at once: give mode='rounds'")
    if given.local.scaffold:
        raise InvalidInput("privacy", "with scaffold", "a control variate would tell a second time: leave it out")
    if given.over != 1 and privacy.where != "local":
        raise InvalidInput("privacy", f"with over {given.over:g}", "who is left out is chosen by speed: give over=1")
    if privacy.where == "distributed" and given.masked is None:
        raise InvalidInput(
            "privacy where", "distributed", "that noise is added under masks: give masked=sv.Masked(...)"
        )
    if given.least != 1 and privacy.rate is not None:
        fix = "with lots a round goes by the clock, whoever is there: else it would tell of one more: leave it out"
        raise InvalidInput("least", given.least, fix)


def _robust(rule: str, given: Mapping[str, Any], least: int) -> None:
    """Whether the rule can be had of ``least`` changes: nothing may be refused once a round is over."""
    if not isinstance(given, Mapping):
        raise InvalidInput("robust", given, 'give a mapping, as {"share": 0.2}')
    names = {"trimmed": {"share"}, "krum": {"liars", "keep"}}.get(rule, set())
    if set(given) - names or (names and not names & set(given)):
        raise InvalidInput("robust", dict(given), f"{rule} takes {', '.join(sorted(names)) or 'nothing'}")
    if rule == "trimmed" and not (isinstance(given["share"], int | float) and 0 <= given["share"] < 0.5):
        raise InvalidInput("robust share", given["share"], "give a share from 0 to below 0.5")
    if rule == "krum":
        liars, keep = given.get("liars", 0), given.get("keep", 1)
        whole("robust liars", liars, 0)
        whole("robust keep", keep, 1)
        if least < max(2 * liars + 3, liars + 2 + keep):
            fix = f"with {liars} liars and keep {keep}, krum needs {max(2 * liars + 3, liars + 2 + keep)} answers"
            raise InvalidInput("least", least, fix)
