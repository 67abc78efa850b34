"""A case is a data set in one kind of weather and a seed; a summary is of all of them."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.live.habits import habits

from . import nets
from .pictures import Array, Pictures
from .ways import WAYS, World, ways
from .weather import DAY, LENGTH, asked, course, passing

Case = Mapping[str, Any]


def case(
    task: str, pictures: Pictures, kind: str, seed: int, length: int = LENGTH, updates: int = nets.UPDATES
) -> dict[str, Any]:
    """Every way in this weather, as plain data; "right": a bit a picture, in base64. "seconds": of the processor."""
    torch.set_num_threads(1)
    began, own = time.process_time(), habits("vision")
    world = seen(pictures, kind, seed, length)
    model = shipped(task, seed, updates, world)
    rows = []
    for o in ways(model, world, own, seed, updates=updates):
        row: dict[str, Any] = {"way": o.way, "held": o.held, "clean": o.clean, **o.figures}
        if o.right is not None:
            row["right"] = base64.b64encode(np.packbits(o.right).tobytes()).decode()
        rows.append(row)
    return {
        "set": task, "kind": kind, "seed": seed, "habits": own, "length": length, "tests": len(world.truth),
        "judges": len(world.judges[1]), "rows": rows, "seconds": round(time.process_time() - began, 1),
    }  # fmt: skip


def seen(pictures: Pictures, kind: str, seed: int, length: int = LENGTH) -> World:
    """All of it through the camera: what was there before the stream, on a clear day."""
    change, draw = course(kind, seed), np.random.default_rng([39, seed])

    def by_day(part: tuple[Array, Array]) -> tuple[Array, Array]:
        return DAY.see(part[0], draw), part[1]

    clean, truth = by_day(pictures.test)
    return World(
        by_day(pictures.train), by_day(pictures.judges), passing(pictures, change, seed, length),
        list(asked(pictures, change, seed)), clean, truth, pictures.classes,
    )  # fmt: skip


_shipped: dict[tuple[str, int, int], nn.Module] = {}


def shipped(task: str, seed: int, updates: int, world: World) -> nn.Module:
    """The model of a data set and a seed; the last one is kept, as the three kinds of weather have the same."""
    key = (task, seed, updates)
    if key not in _shipped:
        _shipped.clear()
        _shipped[key] = nets.trained([world.train], world.classes, seed, updates)
    return _shipped[key]


def right(case: Case, way: str) -> np.ndarray:
    """bool [length], of a way that has it."""
    bits = np.frombuffer(base64.b64decode(_row(case, way)["right"]), np.uint8)
    return np.unpackbits(bits, count=case["length"]).astype(bool)


def closed(case: Case, way: str, last: int = 0) -> float:
    """How much of what retraining has above the frozen model ``way`` has too, of the test pictures: over all turns, or
    the ``last`` ones."""
    own, frozen, retrained = (np.array(_row(case, w)["held"][-last:]) for w in (way, "frozen", "retrained"))
    return float((own - frozen).sum() / (retrained - frozen).sum())


def summary(cases: Sequence[Case]) -> dict[tuple[str, str], dict[str, Any]]:
    """(set, kind) -> way -> means over the seeds, and standard deviations (None of one seed): "before" (right of the
    stream, None where a way has no before), "held", "clean", "closed", "closed last" (of three turns); "ram": the
    largest."""
    made: dict[tuple[str, str], dict[str, Any]] = {}
    for key in dict.fromkeys((c["set"], c["kind"]) for c in cases):
        own = [c for c in cases if (c["set"], c["kind"]) == key]
        if any(c["habits"] != own[0]["habits"] for c in own):
            raise ValueError(f"{' '.join(key)}: cases of several hyper-parameters: remove those of the old ones")
        found: dict[str, Any] = {"seeds": len(own), "ways": {}}
        for way in WAYS:
            each = {
                "before": None if way == "retrained" else [float(right(c, way).mean()) for c in own],
                "held": [float(np.mean(_row(c, way)["held"])) for c in own],
                "clean": [_row(c, way)["clean"] for c in own],
                "closed": [closed(c, way) for c in own], "closed last": [closed(c, way, 3) for c in own],
            }  # fmt: skip
            rams = [sum(_row(c, way)["ram"].values()) for c in own if "ram" in _row(c, way)]
            found["ways"][way] = {name: _spread(values) for name, values in each.items()}
            found["ways"][way]["ram"] = max(rams, default=None)
            found["ways"][way]["commits"] = [_row(c, way).get("commits") for c in own]
        made[key] = found
    return made


def _row(case: Case, way: str) -> Mapping[str, Any]:
    return next(row for row in case["rows"] if row["way"] == way)


def _spread(values: Sequence[float] | None) -> tuple[float, float | None] | None:
    """Mean and standard deviation."""
    if values is None:
        return None
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None
