"""The one budget: what a candidate may take, to run and to train."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from types import MappingProxyType

from ...artifact.number import finite
from ...device import Budget, Device
from ...device.sizes import format_bytes, parse_bytes
from ...errors import InvalidInput
from .figures import Figures

# Key in the text -> the field.
KEYS = MappingProxyType(
    {"run": "run", "train": "train", "flash": "flash", "latency": "latency_s", "energy": "energy_j",
     "accuracy": "accuracy"}
)  # fmt: skip
BYTES = ("run", "train", "flash")


@dataclass(frozen=True, slots=True)
class Limits:
    """``run``: bytes of RAM while it predicts, what has learned included. ``train``: bytes of RAM while it learns.
    ``flash``: bytes of weights and code. ``latency_s``, ``energy_j``: of a prediction. ``accuracy``: the least on
    held-out samples, behind learning. None is no limit."""

    run: int | None = None
    train: int | None = None
    flash: int | None = None
    latency_s: float | None = None
    energy_j: float | None = None
    accuracy: float | None = None

    def __post_init__(self) -> None:
        for name in (f.name for f in fields(self)):
            value = getattr(self, name)
            if isinstance(value, str) and name in BYTES:
                value = parse_bytes(value, f"budget {name}")
                object.__setattr__(self, name, value)
            if value is None:
                continue
            number, whole = finite(value), name not in BYTES or isinstance(value, int)
            if number is None or not whole or number <= 0:
                kind = "a whole number of bytes" if name in BYTES else "a finite number"
                raise InvalidInput(f"budget {name}", value, f"give {kind} > 0")
        if self.accuracy is not None and self.accuracy > 1:
            raise InvalidInput("budget accuracy", self.accuracy, "give a share between 0 and 1, as 0.9")

    @classmethod
    def parse(cls, text: str) -> Limits:
        """Read "run=64KiB,train=128KiB,flash=512KiB,latency=20ms,energy=1mJ,accuracy=0.9"; any of them. Raises
        :class:`InvalidInput`."""
        if not isinstance(text, str):
            raise InvalidInput("budget", f"of type {type(text).__name__}", 'write it as "run=64KiB,train=128KiB"')
        sizes: dict[str, int] = {}
        amounts: dict[str, float] = {}
        for part in text.split(","):
            key, given, value = (piece.strip() for piece in part.partition("="))
            if key not in KEYS or not given or not value:
                fix = f"write {', '.join(KEYS)} as run=64KiB,train=128KiB"
                raise InvalidInput("budget", part.strip() or "empty", fix)
            if KEYS[key] in sizes or KEYS[key] in amounts:
                raise InvalidInput("budget", part.strip(), f"give {key} once")
            if key in ("latency", "energy"):
                read = Budget.parse(f"ram=1KiB,{part}")  # the same units as of a plan's budget
                amount = read.latency_s if key == "latency" else read.energy_j
                assert amount is not None
                amounts[KEYS[key]] = amount
            elif key == "accuracy":
                try:
                    amounts["accuracy"] = float(value)
                except ValueError:
                    raise InvalidInput("budget accuracy", value, "write a share between 0 and 1, as 0.9") from None
            else:
                sizes[key] = parse_bytes(value, f"budget {key}")
        return cls(
            sizes.get("run"), sizes.get("train"), sizes.get("flash"), amounts.get("latency_s"),
            amounts.get("energy_j"), amounts.get("accuracy"),
        )  # fmt: skip

    def on(self, device: Device) -> Limits:
        """With what ``device`` leaves where nothing is said. Raises for more than it has."""
        has = Budget.of(device)
        for name, most in (("run", has.ram), ("train", has.ram), ("flash", has.flash)):
            asked = getattr(self, name)
            if asked is not None and most is not None and asked > most:
                fix = f"{device.name} leaves {format_bytes(most)}: ask for at most that"
                raise InvalidInput(f"budget {name}", format_bytes(asked), fix)
        train = self.train or has.ram
        return Limits(
            self.run or train, train, self.flash or has.flash, self.latency_s, self.energy_j, self.accuracy
        )  # fmt: skip

    def broken(self, figures: Figures) -> Iterator[tuple[str, float, float]]:
        """(what, need, have) of every limit on costs that ``figures`` break; a cost that nobody can say breaks its
        limit, with need infinite."""
        for name, need in figures.costs().items():
            most = getattr(self, name)
            if most is not None and (need is None or need > most):
                yield name, float("inf") if need is None else need, most

    def __str__(self) -> str:
        said = [f"{k} {format_bytes(getattr(self, k))}" for k in BYTES if getattr(self, k) is not None]
        if self.latency_s is not None:
            said.append(f"latency {self.latency_s:g} s")
        if self.energy_j is not None:
            said.append(f"energy {self.energy_j:g} J")
        if self.accuracy is not None:
            said.append(f"accuracy {self.accuracy:.1%}")
        return ", ".join(said) or "no limits"
