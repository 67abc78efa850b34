"""Single layers on this machine: dense and every pattern in one process, in turn; medians and quartiles."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from benchmarks.peers.contestant import Missing, reason
from benchmarks.timing import Timing, interleaved, ratios
from selvedge import ir
from selvedge.device import Device
from selvedge.make.calibrate_fit import predicted
from selvedge.make.repeated import Repeated
from selvedge.make.sparse import FASTER
from selvedge.make.sparse_times import reference
from selvedge.planning.arrange import arrange
from selvedge.planning.check import check
from selvedge.planning.program import works
from selvedge.planning.schedule import Arrangement

from . import peers
from .reference import host
from .shapes import PATTERNS, SHAPES, Shape, graphs

ROUNDS, TURN = 41, 0.002  # turns of each; seconds of one
NEAR = 1e-5  # of the largest output that sparse and interpreted may be apart: sums in another order


def rows(width: int, rounds: int = ROUNDS, shapes: Sequence[Shape] = SHAPES) -> Iterator[dict[str, Any]]:
    """A row a shape, at vectors of ``width`` bytes (0: a build without any)."""
    device, _ = host(width)
    for shape in shapes:
        ways: dict[str, Callable[[], object]] = {}
        row: dict[str, Any] = {"network": shape.name, "layer": str(shape), "vector_bytes": width, "ways": {}}
        plans = {}
        for name, graph in graphs(shape).items():
            plan = plans[name] = arrange({"predict": graph}, device)
            check(plan)
            code = Repeated(plan)
            agrees(code, graph)
            times = code.seconds(TURN)[0]
            ways[name] = turn(code, times)
            row["ways"][name] = {
                "times": times, "bytes": stored(plan), "family": family(plan), "expected": expected(plan, device),
            }  # fmt: skip
        for name, way in row["ways"].items():
            way["chosen"] = name != "dense" and way["expected"] <= FASTER * row["ways"]["dense"]["expected"]
        if width == 32:
            for name, make in peers.LAYERS.items():
                try:
                    ways[name] = make(shape, PATTERNS["90 %"](shape))
                    row["ways"][name] = {"times": 1}
                except Exception as error:  # a peer that cannot is a row that says why
                    row["ways"][name] = {"failed": reason(error), "missing": isinstance(error, Missing)}
        found = in_turn(ways, rounds)
        for name, took in found.items():
            own = row["ways"][name]
            each = {turn: s / own["times"] for turn, s in took.items()}
            own |= asdict(Timing.of(list(each.values())))
            if name != "dense":
                base = {turn: s / row["ways"]["dense"]["times"] for turn, s in found["dense"].items()}
                own["speedup"] = asdict(Timing.of(ratios(each, base)))
        yield row


def in_turn(ways: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, dict[int, float]]:
    """Name -> round -> seconds of a call, of processor time: a busy machine's other processes are left out."""
    return interleaved(ways, rounds, seconds=TURN, clock=time.process_time)


def turn(code: Repeated, times: int) -> Callable[[], object]:
    return lambda: code(times)


def agrees(code: Repeated, graph: ir.Graph) -> None:
    """Raise unless the code computes what the graph means."""
    x = np.random.default_rng(7).random(code.inputs["x"].shape, np.float32)
    code.inputs["x"][...] = x
    code()
    (want,) = ir.interpret(graph, {"x": x}, {}).values()
    (got,) = code.outputs.values()
    off = float(np.abs(got - want).max() / max(np.abs(want).max(), 1e-6))
    if off > NEAR:
        raise AssertionError(f"off by {off:.1e} of the largest output")


def stored(plan: Arrangement) -> int:
    """Bytes of weights in flash."""
    return plan.memory.weights


def family(plan: Arrangement) -> str:
    """Of the layer's kernel."""
    (kernel,) = plan.programs["predict"].kernels.values()
    return kernel.family


def expected(plan: Arrangement, device: Device) -> float:
    """Seconds of the layer's kernel by the table that plans choose by."""
    p, table = plan.programs["predict"], reference(device)
    (work,) = works(p.kernels.values(), p.instances, device, 0)
    return next(predicted(t.seconds, work) for t in table.times if t.family == work.family)
