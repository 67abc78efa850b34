"""What a model costs on a device that has room for anything."""

from __future__ import annotations

from pathlib import Path

from .. import draw
from ..artifact import files
from ..device import Device
from ..make.plan import Plan
from ..make.plan import plan as make_plan
from ..make.room import ROOM
from .model import NamedModel


def unlimited(named: NamedModel, loss: str | None = None, norms: str = "frozen") -> Plan:
    """The plan of a full step at the example's batch. Raises ``SelvedgeError``."""
    device = Device(name="room for anything", ram=ROOM, flash=ROOM)
    return make_plan(
        named.model,
        named.example,
        loss=loss or named.loss or "cross_entropy",
        device=device,
        norms=norms,
        name=named.name,
    )


def picture(named: NamedModel, loss: str | None, path: Path) -> None:
    """Write a page of the memory and the cost of a full step."""
    plan = unlimited(named, loss)
    parts = [
        draw.section("Memory of a full step", draw.memory(plan.arrangement, "step")),
        draw.section("Memory of predicting", draw.memory(plan.arrangement, "predict")),
        draw.section("Cost of a full step", draw.costs(plan.arrangement, "step")),
    ]
    shapes = " and ".join("x".join(map(str, x.shape)) for x in named.example)
    page = draw.page(named.name, parts, subtitle=f"input {shapes}, every parameter trained, SGD")
    files.write(path, page.encode())
