"""What a model costs on a device: whole, cut after each layer, and while it learns. Figures of plans, or given ones."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import InvalidInput
from .quantity import checked, quantity


@dataclass(frozen=True, slots=True)
class Run:
    """One prediction of the whole model on the device. ``joules``: None where nobody knows."""

    macs: float = quantity("MAC", "multiply-accumulates of a prediction")
    seconds: float = quantity("s", "seconds of a prediction on the device")
    ram_bytes: int = quantity("B", "RAM to run it", default=0)
    flash_bytes: int = quantity("B", "flash of weights and code", default=0)
    joules: float | None = quantity("J", "joules of a prediction on the device", default=None)

    def __post_init__(self) -> None:
        checked(self, "costs.run")


@dataclass(frozen=True, slots=True)
class Cut:
    """The model cut behind ``name``: the device runs what is before it. ``elements`` numbers cross, of ``item_bytes``
    each as they are. The other figures are of the device's part."""

    name: str = quantity("text", "the layer behind which it is cut")
    elements: int = quantity("B", "numbers that cross", positive=True)
    macs: float = quantity("MAC", "multiply-accumulates of the device's part")
    seconds: float = quantity("s", "seconds of the device's part")
    ram_bytes: int = quantity("B", "RAM to run the device's part", default=0)
    flash_bytes: int = quantity("B", "flash of the device's part", default=0)
    joules: float | None = quantity("J", "joules of the device's part", default=None)
    item_bytes: int = quantity("B", "bytes of a number as the model has it", default=4, positive=True)

    def __post_init__(self) -> None:
        checked(self, "costs.cut")

    def crossing_bytes(self, dtype: str) -> int:
        """Bytes a sample that cross, in ``dtype``, or as they are where that is smaller."""
        return self.elements * min(self.item_bytes, 1 if dtype == "int8" else 4)


@dataclass(frozen=True, slots=True)
class Step:
    """One training step on the device. ``update_bytes``: of what learns, sent up in a federated round."""

    macs: float = quantity("MAC", "multiply-accumulates of a step")
    seconds: float = quantity("s", "seconds of a step on the device")
    ram_bytes: int = quantity("B", "RAM to train", default=0)
    flash_bytes: int = quantity("B", "flash of what trains", default=0)
    update_bytes: int = quantity("B", "bytes of what learns", default=0)
    joules: float | None = quantity("J", "joules of a step on the device", default=None)

    def __post_init__(self) -> None:
        checked(self, "costs.step")


@dataclass(frozen=True, slots=True)
class Costs:
    """``ram_bytes``, ``flash_bytes``: what the device has for it (None: no limit). ``model_bytes``: of a new model that
    is sent down. ``step``: None where it cannot train here, and ``why_no_step`` says why. ``energy_band``: a joule of
    computing is right to a factor of 1 + that."""

    model: str
    device: str
    run: Run
    cuts: tuple[Cut, ...] = ()
    step: Step | None = None
    why_no_step: str = "its costs are not given"
    ram_bytes: int | None = quantity("B", "RAM of the device for it", default=None)
    flash_bytes: int | None = quantity("B", "flash of the device for it", default=None)
    model_bytes: int = quantity("B", "bytes of a new model that is sent down", default=0)
    energy_band: float = quantity("count", "how far off joules of computing may be", default=0.0)

    def __post_init__(self) -> None:
        parts: tuple[tuple[str, object, type], ...] = (
            ("run", self.run, Run), *(("cuts", cut, Cut) for cut in self.cuts),
            *((("step", self.step, Step),) if self.step is not None else ()),
        )  # fmt: skip
        for field, value, kind in parts:
            if not isinstance(value, kind):
                raise InvalidInput(f"costs.{field}", f"of type {type(value).__name__}", f"give a {kind.__name__}")
        checked(self, "costs")
        for cut in self.cuts:
            if cut.macs > self.run.macs:
                fix = f"the whole model has {self.run.macs:g}: give those up to the cut"
                raise InvalidInput(f"macs of cut {cut.name}", f"{cut.macs:g}", fix)
