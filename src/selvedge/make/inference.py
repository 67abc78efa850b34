"""A network that only predicts: read from a file, planned, and compiled or emitted as what learns is."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__, ir
from ..artifact.schedule import Constant
from ..device import Budget, Device
from ..device.sizes import format_bytes
from ..emitting.c import Bundle, Description, bundle
from ..errors import DoesNotFit, InvalidInput
from ..ir import verify
from ..planning.arrange import Draft
from ..planning.check import check
from ..planning.schedule import Arrangement, Program
from ..planning.trade import DEFAULT, Trade
from .limits import excess, overdrawn
from .network import Network
from .sparse import SparseLayer, made_sparse
from .sparse import wish as sparse_wish
from .table import engineering
from .update_cost import UpdateCost
from .wish import within

if TYPE_CHECKING:
    import torch
    from torch import nn
    from torch.export import ExportedProgram


@dataclass(frozen=True, slots=True, repr=False)
class Inference:
    """A prediction that fits a device: which calls, at which bytes, at what cost. :func:`selvedge.compile` makes it run
    here, :func:`selvedge.emit` makes C of it, :func:`selvedge.measured` says what it uses."""

    network: Network
    arrangement: Arrangement
    device: Device
    budget: Budget
    seconds_to_plan: float = 0.0
    sparse: tuple[SparseLayer, ...] = ()  # layers with zeros among their weights, and which kernel each runs by

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
            "sparse": [layer.to_dict() for layer in self.sparse],
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
                *(f"zeros   {layer}" for layer in self.sparse),
            ]
        )

    def __repr__(self) -> str:
        return f"<Inference {self.name} on {self.device.name}: {self.arena_bytes:,} B of arena>"


def plan_inference(
    network: Network | nn.Module | ExportedProgram,
    example: torch.Tensor | tuple[torch.Tensor, ...] | None = None,
    *,
    floats: bool = True,
    name: str | None = None,
    device: Device | str | None = None,
    budget: Budget | str | None = None,
    trade: Trade | None = None,
    sparse: str = "auto",
) -> Inference:
    """Plan the prediction of ``network`` on ``device`` within ``budget``; these are those of :func:`selvedge.plan`.

    network: what :func:`selvedge.load_tflite` or :func:`selvedge.network` read; or what :func:`selvedge.quantise` or
        ``QAT.convert`` made, an ``nn.Module`` or an exported program, which is read for the shapes of ``example``.
    floats, name: as :func:`selvedge.network` takes them, of a module.
    sparse: which float layers with zeros among their weights run by sparse kernels: "auto", those that are expected to
        be faster, and where the flash would not do otherwise those that take fewer bytes; "never"; "for_speed" and
        "for_bytes", the faster or the smaller ones, and ``NotSupported`` where there are none.

    Raises ``DoesNotFit`` and ``InvalidInput``: also where an int32 accumulator of an int8 layer could overflow.
    """
    for field, value, kinds, fix in (
        ("device", device, (Device, str, Path, type(None)), "give a profile's name or an sv.Device"),
        ("budget", budget, (Budget, str, type(None)), 'write it as "ram=48KiB", or give an sv.Budget'),
        ("trade", trade, (Trade, type(None)), "give an sv.Trade, as sv.Trade(slowdown=1.35)"),
    ):
        if not isinstance(value, kinds):
            raise InvalidInput(field, f"of type {type(value).__name__}", fix)
    wanted = sparse_wish(sparse)
    start = time.perf_counter()
    network = _network(network, example, floats, name)
    target = device if isinstance(device, Device) else Device.load("this-machine" if device is None else device)
    limits = within(budget, Budget.of(target))
    graph = ir.simplified(network.graph)
    verify(graph)
    latency = inf if limits.latency_s is None else limits.latency_s

    def arranged(how: str, bytes_too: bool = False) -> Inference:
        rows, layers = made_sparse(graph, target, how, network.weights, bytes_too)
        draft = Draft({"predict": rows}, target)
        found = draft.arranged(room=limits.ram, latency=latency, trade=trade or DEFAULT)
        return Inference(network, found, target, limits, sparse=layers)

    made = arranged(wanted)
    over = excess(made)
    if over is not None and wanted == "auto" and made.sparse:  # sparse kernels want less flash, and some more RAM
        made = arranged("auto", True) if over[0] == "flash" else arranged("never")
        over = excess(made)
    if over is not None:
        raise DoesNotFit(*over)
    late = overdrawn(made)
    if late is not None:
        raise late
    check(made.arrangement)
    return replace(made, seconds_to_plan=time.perf_counter() - start)


def _network(
    given: Network | nn.Module | ExportedProgram,
    example: torch.Tensor | tuple[torch.Tensor, ...] | None,
    floats: bool,
    name: str | None,
) -> Network:
    if not isinstance(given, Network):
        from .captured_network import network  # of a file nothing needs torch

        return network(given, example, floats=floats, name=name or "model")
    if example is not None or name is not None or not floats:
        fix = "it has its shapes and its name: give them to selvedge.load_tflite or selvedge.network"
        raise InvalidInput("example", "given beside a network", fix)
    return given


def inference_bundle(plan: Inference) -> Bundle:
    """The artifact of ``plan`` in memory."""
    return bundle(plan.arrangement, {}, predicting(plan))


def predicting(plan: Inference) -> Description:
    """That of a plan that only predicts."""
    specs = {**plan.network.inputs, **plan.network.outputs}
    return Description(
        name=plan.name,
        layouts={"predict": {name: plan.network.layout(name) for name in specs}},
        state_layouts={},
        order=(),
        schedule=Constant(0.0),
        loss=None,
        optimizer={},
        provenance={"selvedge": __version__, "device": plan.device.name},
    )
