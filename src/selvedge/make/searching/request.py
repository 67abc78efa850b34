"""A search as it was asked for: looked at before anything is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from ...artifact.number import finite
from ...device import Device
from ...device.profile import THIS_MACHINE
from ...errors import InvalidInput
from .candidate import FLOAT, INT8
from .limits import Limits
from .machine import machine
from .training import Course, Transform

BITS = (FLOAT, INT8)
FIRST = 3  # a third of the epochs judges all that are left; the finalists have the rest
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """The fields are the arguments of :func:`selvedge.compress`. Raises ``InvalidInput``."""

    model: Any
    data: Any
    who: Any
    judges: int | None
    device: Device | str | None
    budget: Limits | str | None
    teacher: nn.Module | None
    distil: bool
    bits: Sequence[str]
    learn: int
    epochs: int
    lr: float
    batch: int
    augment: Transform | None
    keep: int
    finalists: int
    multiple: int
    folder: str | Path | None
    seed: int
    on_progress: Progress

    def __post_init__(self) -> None:
        for name, least in (
            ("learn", 0), ("epochs", FIRST), ("batch", 2), ("keep", 1), ("finalists", 1), ("multiple", 1), ("seed", 0),
        ):  # fmt: skip
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise InvalidInput(name, value, f"give a whole number, {least} or more")
        if not isinstance(self.lr, float | int) or finite(self.lr) is None or self.lr <= 0:
            raise InvalidInput("lr", self.lr, "give a number above 0, as 3e-3")
        if isinstance(self.bits, str) or not self.bits or not set(self.bits) <= set(BITS):
            raise InvalidInput("bits", self.bits, 'give ("float", "int8"), or one of them in a tuple')
        if self.teacher is not None and not isinstance(self.teacher, nn.Module):
            raise InvalidInput("teacher", f"of type {type(self.teacher).__name__}", "give an nn.Module")

    @property
    def begin(self) -> int:
        """Epochs of all that are trained."""
        return self.epochs // FIRST

    @property
    def rest(self) -> int:
        """Epochs that finalists have beside."""
        return self.epochs - self.begin

    @property
    def course(self) -> Course:
        return Course(float(self.lr), self.batch, self.augment)

    def target(self) -> Device:
        """This machine as the folder knows it, or another device."""
        found = (
            self.device
            if isinstance(self.device, Device)
            else Device.load(THIS_MACHINE if self.device is None else self.device)
        )
        return machine(self.folder, found) if found.name == THIS_MACHINE else found

    def limits(self) -> Limits:
        """What the text or the value says."""
        if isinstance(self.budget, Limits):
            return self.budget
        return Limits() if self.budget is None else Limits.parse(self.budget)

    def module(self) -> nn.Module | None:
        """Who teaches: the teacher that was given, else the first trained module; None where there is neither."""
        given = self.model if isinstance(self.model, list | tuple) else [self.model]
        return next((m for m in (self.teacher, *given) if isinstance(m, nn.Module)), None)
