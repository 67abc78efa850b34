"""What is asked: how much data, what may leave, over which link, how soon, how often learnt again, on what energy.

Frozen values; every field says its unit in its name or here, and every default its source. Nothing here is read from a
file or measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any

from ..errors import InvalidInput
from .quantity import checked, kinds, quantity
from .radio import RADIOS, Radio

PREFER = ("money", "energy", "latency", "bytes")


@dataclass(frozen=True, slots=True)
class Data:
    """What one device sees a day."""

    samples_per_day: float = quantity("count", "samples a device predicts on a day", positive=True)
    sample_bytes: int = quantity("B", "bytes of one sample as it would be sent", positive=True)
    answer_bytes: int = quantity(
        "B", "bytes of an answer that comes back", default=4, source="assumption: a class as int32"
    )
    label_bytes: int = quantity(
        "B", "bytes of a label that is sent to be learnt from", default=4, source="assumption: a class as int32"
    )

    def __post_init__(self) -> None:
        checked(self, "data")


@dataclass(frozen=True, slots=True)
class Privacy:
    """What may leave the device. Features (an intermediate tensor) can be inverted into the sample - Mahendran and
    Vedaldi, *Understanding deep image representations by inverting them*, CVPR 2015 - and updates too - Zhu et al.,
    *Deep leakage from gradients*, NeurIPS 2019 - so that neither is private by itself. Labels go with what is sent."""

    raw_may_leave: bool = quantity("flag", "samples may be sent", default=True)
    features_may_leave: bool = quantity("flag", "intermediate tensors may be sent", default=True)
    updates_may_leave: bool = quantity("flag", "what was learnt (weights' changes) may be sent", default=True)

    def __post_init__(self) -> None:
        checked(self, "privacy")


@dataclass(frozen=True, slots=True)
class Link:
    """The link of one device. Rates are what the application gets, bytes a second while it is up; 0: there is none."""

    up_bytes_per_s: float = quantity("B/s", "bytes a second from the device")
    down_bytes_per_s: float = quantity("B/s", "bytes a second to the device")
    round_trip_s: float = quantity("s", "seconds of an empty message and its answer", default=0.0,
                                   source="assumption: none")  # fmt: skip
    availability: float = quantity("share", "share of the time that it is up", default=1.0,
                                   source="assumption: always up")  # fmt: skip
    price_per_mb: float = quantity("money", "price of 1,000,000 bytes, up or down", default=0.0,
                                   source="assumption: free")  # fmt: skip
    message_bytes: int = quantity("B", "bytes of headers a message, each way", default=0,
                                  source="assumption: none")  # fmt: skip
    most_bytes_per_day: int | None = quantity("B", "bytes a device may send a day, as a tariff or duty cycle allows",
                                              default=None)  # fmt: skip
    radio: str | None = quantity("text", "whose published energy it draws", default=None, choices=tuple(RADIOS))
    up_j_per_byte: float | None = quantity("J/B", "joules a byte sent", default=None)
    down_j_per_byte: float | None = quantity("J/B", "joules a byte received", default=None)
    up_w: float | None = quantity("W", "watts of the radio while it sends", default=None)
    down_w: float | None = quantity("W", "watts of the radio while it receives", default=None)
    message_j: float | None = quantity("J", "joules a message whatever its size: waking, tail", default=None)

    def __post_init__(self) -> None:
        checked(self, "link")

    @property
    def energy(self) -> Radio | None:
        """The named radio's figures, each replaced by the link's own where that is given; without a name those that are
        not given are nothing. None where nobody said anything."""
        names = ("up_j_per_byte", "down_j_per_byte", "up_w", "down_w", "message_j")
        own = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        base = None if self.radio is None else RADIOS[self.radio]
        if base is None or len(own) == len(names):
            return Radio("given", **dict.fromkeys(names, 0.0) | own, source="given", checked=True) if own else None
        merged = {name: own.get(name, getattr(base, name)) for name in names}
        source = base.source + (f"; {', '.join(own)} as given" if own else "")
        return Radio(base.name, **merged, source=source, checked=base.checked)


@dataclass(frozen=True, slots=True)
class Wants:
    """Hard limits; None: no limit. Nothing that breaks one is recommended while something else keeps them all."""

    latency_s: float | None = quantity("s", "seconds from a sample to its answer, while the link is up", default=None,
                                       positive=True)  # fmt: skip
    answered: float = quantity("share", "share of the samples that must get an answer at once", default=0.0)
    joules_per_day: float | None = quantity("J", "joules a device may draw a day", default=None, positive=True)
    money_per_day: float | None = quantity("money", "money a day of the whole fleet", default=None)
    prefer: str = quantity("text", "what decides between ways that keep every limit", default="money", choices=PREFER)

    def __post_init__(self) -> None:
        checked(self, "wants")


@dataclass(frozen=True, slots=True)
class Learning:
    """How the model follows the drift of its data: so often, from so many samples of a device, in so many steps."""

    times_per_day: float = quantity("count", "times a day that it learns again (1/7: weekly); 0: never", default=0.0)
    samples: float = quantity("count", "labelled samples of a device each time", default=0.0)
    steps: float = quantity("count", "training steps each time", default=0.0)
    batch: float = quantity("count", "samples a step", default=1.0, positive=True)
    rounds: float = quantity("count", "federated rounds each time; an update goes up and a model down in each",
                             default=1.0, positive=True)  # fmt: skip
    together: bool = quantity("flag", "what one device learns must reach the others", default=False)

    def __post_init__(self) -> None:
        checked(self, "learning")
        if self.batch % 1:
            raise InvalidInput("learning.batch", self.batch, "give a whole number of samples a step, 1 or more")
        if self.times_per_day and not self.steps:
            raise InvalidInput("learning.steps", 0, "give the training steps of each time that it learns")
        if self.times_per_day and not self.samples:
            raise InvalidInput("learning.samples", 0, "give the labelled samples of each time that it learns")


T4 = "NVIDIA T4 data sheet: 8.1 TFLOPS float32 at its peak, two operations a MAC"


@dataclass(frozen=True, slots=True)
class Cloud:
    """What answers at the other end. A prediction takes ``overhead_s + MAC / (macs_per_s * utilisation)`` seconds."""

    macs_per_s: float = quantity("MAC/s", "peak of what one prediction runs on", default=4.05e12, source=T4)
    utilisation: float = quantity("share", "of that peak, at a batch of one", default=0.1, positive=True,
                                  source="assumption: a tenth")  # fmt: skip
    overhead_s: float = quantity("s", "seconds a request waits and is unpacked", default=0.0,
                                 source="assumption: none")  # fmt: skip
    price_per_hour: float = quantity("money", "price of an hour of it, paid by the second", default=0.0,
                                     source="assumption: free")  # fmt: skip
    ingress_bytes_per_s: float | None = quantity("B/s", "what the fleet may send it a second, on average",
                                                 default=None)  # fmt: skip
    machines: float | None = quantity("count", "how many there are, each busy for 86,400 s a day at most", default=None)

    def __post_init__(self) -> None:
        checked(self, "cloud")


@dataclass(frozen=True, slots=True)
class Board:
    """What the costs of a model do not say of the device."""

    idle_w: float = quantity("W", "watts that it draws whatever runs", default=0.0, source="assumption: none")
    active_w: float | None = quantity("W", "watts while it computes, where its profile has no energy", default=None,
                                      positive=True)  # fmt: skip

    def __post_init__(self) -> None:
        checked(self, "board")


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything but the model and the device. ``split_dtype``: how the tensor of a cut is sent; "int8" takes a byte a
    number, and what that costs in accuracy is not known here."""

    data: Data
    link: Link
    privacy: Privacy = field(default_factory=Privacy)
    wants: Wants = field(default_factory=Wants)
    learning: Learning = field(default_factory=Learning)
    cloud: Cloud = field(default_factory=Cloud)
    board: Board = field(default_factory=Board)
    name: str = quantity("text", "what it is called", default="scenario")
    fleet: float = quantity("count", "devices", default=1.0, positive=True)
    split_dtype: str = quantity("text", "of the tensor that crosses", default="float32", choices=("float32", "int8"))

    def __post_init__(self) -> None:
        for name, kind in SECTIONS.items():
            if not isinstance(getattr(self, name), kind):
                given = type(getattr(self, name)).__name__
                raise InvalidInput(name, f"of type {given}", f"give a {kind.__name__}")
        checked(self, "scenario")
        drawn = self.learning.samples * self.learning.times_per_day
        if drawn > self.data.samples_per_day:
            fix = f"it learns from samples of the day, {self.data.samples_per_day:g}: give at most so many"
            raise InvalidInput("learning.samples x times_per_day", f"{drawn:g}", fix)

    def assumed(self) -> Iterator[tuple[str, Any, str]]:
        """(field, value, source) of what stands at a default that has a source, for the output to say."""
        for section in SECTIONS:
            owner = getattr(self, section)
            for f in fields(owner):
                kind = kinds(owner)[f.name]
                if kind.source and getattr(owner, f.name) == f.default:
                    yield f"{section}.{f.name}", f.default, kind.source


SECTIONS: dict[str, type] = {
    "data": Data, "privacy": Privacy, "link": Link, "wants": Wants, "learning": Learning, "cloud": Cloud,
    "board": Board,
}  # fmt: skip
