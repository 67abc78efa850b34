"""A network that only predicts: read from a file, planned, and compiled or emitted as what learns is."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from math import inf
from os import PathLike
from pathlib import Path
from typing import Any

from .. import __version__, ir
from ..artifact.layout import Layout
from ..artifact.name import checked_name
from ..artifact.schedule import Constant
from ..device import Budget, Device
from ..device.sizes import format_bytes
from ..emitting.c import Bundle, Description, bundle
from ..errors import DoesNotFit, InvalidInput
from ..formats import tflite
from ..ir import Graph, verify
from ..planning.arrange import Draft
from ..planning.check import check
from ..planning.schedule import Arrangement, Program
from ..planning.trade import DEFAULT, Trade
from .limits import excess, overdrawn
from .table import engineering
from .update_cost import UpdateCost
from .wish import within


@dataclass(frozen=True, slots=True, repr=False)
class Network:
    """What predicts and does not learn.

    graph: inputs "x", "x1", ..., outputs "output", "output1", ...; every weight a constant. ``inputs`` and ``outputs``
    say of each its shape, its dtype, and in ``quant`` what its integers stand for: scale * (integer - zero_point).
    """

    graph: Graph
    name: str

    @property
    def inputs(self) -> dict[str, ir.Spec]:
        return {name: value.spec for name, value in self.graph.inputs.items()}

    @property
    def outputs(self) -> dict[str, ir.Spec]:
        return {name: value.spec for name, value in self.graph.outputs.items()}

    def __repr__(self) -> str:
        faces = [", ".join(map(str, ports.values())) for ports in (self.inputs, self.outputs)]
        return f"<Network {self.name}: {faces[0]} -> {faces[1]}>"


def load_tflite(path: str | Path, *, floats: bool = False, name: str = "model") -> Network:
    """The int8 network of a ``.tflite`` file, to be planned by :func:`plan_inference`. What it predicts, here and on a
    device, is bit by bit what LiteRT's reference kernels predict. Images are NHWC, as in the file.

    floats: by default inputs and outputs are the file's own, as with LiteRT's interpreter: int8 where it says int8.
        With ``floats`` such an input is given as real numbers, which are quantised first, and such an output comes
        as real numbers: NaN becomes 0, what is out of range the nearest end.
    name: a C identifier, which names the compiled functions.

    Raises ``InvalidInput`` for a damaged file, scales that do not go together and accumulators that could overflow,
    and ``NotSupported`` for an operator that has no int8 meaning here; each names the operator and the tensor.
    """
    if not isinstance(path, str | PathLike):
        raise InvalidInput("path", f"of type {type(path).__name__}", "give that of a .tflite file")
    checked_name(name)
    graph = tflite.graph(tflite.read(Path(path))).frozen()
    return Network(_with_floats(graph) if floats else graph, name)


def _with_floats(graph: Graph) -> Graph:
    """``graph`` from reals to reals."""
    leaves, now = {}, {}
    for name, value in graph.inputs.items():
        if value.dtype == "int8":
            leaves[name] = ir.input_leaf(name, ir.Spec(value.shape))
            now[value] = ir.apply("quantise", leaves[name], quant=value.spec.quant)
        else:
            leaves[name] = now[value] = value
    outputs = dict(ir.replaced(graph, now).outputs)
    for name, value in outputs.items():
        if value.dtype == "int8":
            outputs[name] = ir.apply("dequantise", value, quants=(value.spec.quant,), dtype="float32")
    return Graph(leaves, graph.state, outputs)


@dataclass(frozen=True, slots=True, repr=False)
class Inference:
    """A prediction that fits a device: which calls, at which bytes, at what cost. :func:`selvedge.compile` makes it run
    here, :func:`selvedge.emit` makes C of it, :func:`selvedge.measured` says what it uses."""

    network: Network
    arrangement: Arrangement
    device: Device
    budget: Budget
    seconds_to_plan: float = 0.0

    @property
    def name(self) -> str:
        return self.network.name

    @property
    def program(self) -> Program:
        return self.arrangement.programs["predict"]

    @property
    def arena_bytes(self) -> int:
        """RAM of one session."""
        return self.arrangement.memory.arena

    @property
    def weights_bytes(self) -> int:
        """Flash of weights, biases and scales."""
        return self.arrangement.memory.weights

    @property
    def cost(self) -> UpdateCost:
        """What one prediction costs."""
        p = self.program
        return UpdateCost(p.macs, p.bytes_moved, p.seconds, p.joules, p.nodes, len(p.kernels))

    def to_dict(self) -> dict[str, Any]:
        """The figures, for machines."""
        memory, cost = self.arrangement.memory, self.cost
        return {
            "model": self.name,
            "device": self.device.name,
            "arena_bytes": memory.arena,
            "lower_bound_bytes": memory.bound,
            "lower_bound_any_order_bytes": memory.any_order,
            "flash_bytes": memory.flash,
            "weights_bytes": memory.weights,
            "code_bytes_estimate": memory.code,
            "budget_ram_bytes": self.budget.ram,
            "macs": cost.macs,
            "bytes_moved": cost.bytes_moved,
            "seconds": cost.seconds,
            "joules": cost.joules,
            "kernels": cost.kernels,
            "seconds_to_plan": self.seconds_to_plan,
            "digest": self.arrangement.digest(),
        }

    def __str__(self) -> str:
        memory, cost = self.arrangement.memory, self.cost
        time = "-" if cost.seconds is None else engineering(cost.seconds, "s")
        energy = "-" if cost.joules is None else engineering(cost.joules, "J")
        return "\n".join(
            [
                f"{self.name} on {self.device.name}: predicts, does not learn",
                f"RAM     {format_bytes(memory.arena)} of {format_bytes(self.budget.ram)}",
                f"bound   {format_bytes(memory.bound)} of this order; {format_bytes(memory.any_order)} of any order",
                f"flash   {format_bytes(memory.flash)}: {memory.weights:,} B of weights, the rest code",
                f"predict {cost.macs:,} MACs in {cost.kernels} kernels, {time}, {energy}",
            ]
        )

    def __repr__(self) -> str:
        return f"<Inference {self.name} on {self.device.name}: {self.arena_bytes:,} B of arena>"


def plan_inference(
    network: Network,
    *,
    device: Device | str | None = None,
    budget: Budget | str | None = None,
    trade: Trade | None = None,
) -> Inference:
    """Plan the prediction of ``network`` on ``device`` within ``budget``; the arguments are those of
    :func:`selvedge.plan`.

    Raises ``DoesNotFit`` and ``InvalidInput``: also where an int32 accumulator of an int8 layer could overflow.
    """
    for field, value, kinds, fix in (
        ("network", network, (Network,), "give what selvedge.load_tflite returned"),
        ("device", device, (Device, str, Path, type(None)), "give a profile's name or an sv.Device"),
        ("budget", budget, (Budget, str, type(None)), 'write it as "ram=48KiB", or give an sv.Budget'),
        ("trade", trade, (Trade, type(None)), "give an sv.Trade, as sv.Trade(slowdown=1.35)"),
    ):
        if not isinstance(value, kinds):
            raise InvalidInput(field, f"of type {type(value).__name__}", fix)
    start = time.perf_counter()
    target = device if isinstance(device, Device) else Device.load("this-machine" if device is None else device)
    limits = within(budget, Budget.of(target))
    graph = ir.simplified(network.graph)
    verify(graph)
    draft = Draft({"predict": graph}, target)
    latency = inf if limits.latency_s is None else limits.latency_s
    made = Inference(network, draft.arranged(room=limits.ram, latency=latency, trade=trade or DEFAULT), target, limits)
    over = excess(made)
    if over is not None:
        raise DoesNotFit(*over)
    late = overdrawn(made)
    if late is not None:
        raise late
    check(made.arrangement)
    return replace(made, seconds_to_plan=time.perf_counter() - start)


def inference_bundle(plan: Inference) -> Bundle:
    """The artifact of ``plan`` in memory."""
    specs = {**plan.network.inputs, **plan.network.outputs}
    about = Description(
        name=plan.name,
        layouts={"predict": {name: Layout.of(spec.shape) for name, spec in specs.items()}},
        state_layouts={},
        order=(),
        schedule=Constant(0.0),
        loss=None,
        optimizer={},
        provenance={"selvedge": __version__, "device": plan.device.name},
    )
    return bundle(plan.arrangement, {}, about)
