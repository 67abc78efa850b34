"""A plan that learns its last layers, cut in two: what is frozen, for an accelerator, and what learns, for our code.

An NPU runs int8 or float networks whose weights are constants, and trains nothing. So what depends on no array that
learns becomes a network that only predicts: emitted for ExecuTorch, its delegate takes it (XNNPACK on a processor;
Ethos-U, Core ML or QNN where their compilers are). The rest is planned again as a model of its own, over what the first
part gives: the latent.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from .. import ir
from ..artifact import files
from ..artifact.layout import Layout
from ..device.sizes import format_bytes
from ..errors import InvalidInput
from ..run.artifact import load
from ..run.foreign.cut import FROZEN, PAIR, TAIL, CutSession, paired
from .inference import Inference, plan_inference
from .network import Network
from .plan import Plan, attempt
from .table import engineering
from .wish import Wish


@dataclass(frozen=True, slots=True)
class Cut:
    """whole: the plan that was cut. frozen: its part before, which only predicts. tail: its part behind, which learns:
    a plan whose inputs are what ``frozen`` gives."""

    whole: Plan
    frozen: Inference
    tail: Plan

    @property
    def latent_bytes(self) -> int:
        """What goes from one to the other at each call."""
        return sum(spec.bytes for spec in self.frozen.network.outputs.values())

    def to_dict(self) -> dict[str, Any]:
        """The price, for machines: bytes, multiply-accumulates, seconds (None where the device has no costs)."""
        whole, tail, frozen = self.whole.cost, self.tail.cost, self.frozen.cost
        return {
            "name": self.whole.name,
            "device": self.whole.device.name,
            "before": self.tail.captured.layers[0].name,
            "frozen": {"macs": frozen.macs, "weights_bytes": self.frozen.weights_bytes, "seconds": frozen.seconds},
            "latent_bytes": self.latent_bytes,
            "tail": {"macs": tail.macs, "seconds": tail.seconds, "arena_bytes": self.tail.arena_bytes},
            "whole": {"macs": whole.macs, "seconds": whole.seconds, "arena_bytes": self.whole.arena_bytes},
            "learns": list(self.tail.updated),
        }

    def __str__(self) -> str:
        """The price: what is saved in our own code, and what crosses."""
        whole, tail, frozen = self.whole.cost, self.tail.cost, self.frozen.cost
        return "\n".join(
            [
                f"{self.whole.name} on {self.whole.device.name}, cut before {self.tail.captured.layers[0].name}",
                f"frozen  {frozen.macs:,} MACs and {format_bytes(self.frozen.weights_bytes)} of weights: to a delegate",
                f"latent  {self.latent_bytes:,} B cross at each call",
                f"learns  {tail.macs:,} MACs a step in our code instead of {whole.macs:,}, {_time(tail.seconds)} "
                f"instead of {_time(whole.seconds)}",
                f"RAM     {format_bytes(self.tail.arena_bytes)} of arena instead of "
                f"{format_bytes(self.whole.arena_bytes)}, beside what the delegate takes",
            ]
        )


def _time(seconds: float | None) -> str:
    return "-" if seconds is None else engineering(seconds, "s")


def cut(plan: Plan) -> Cut:
    """``plan`` before the first row that reads what learns.

    Raises :class:`InvalidInput` where nothing before that is frozen, where norms are not frozen, where the target is
    the input, and where the learning of the model differs from its predicting (dropout).
    """
    if not isinstance(plan, Plan):
        raise InvalidInput("plan", f"of type {type(plan).__name__}", "give what selvedge.plan(...) returned")
    captured, made = plan.captured, plan.programs
    if captured.norms != "frozen" or captured.learning is not None:
        raise InvalidInput("norms", captured.norms, 'plan with norms="frozen" and without dropout, and cut that')
    if "y" not in made.backward.inputs:
        raise InvalidInput("loss", type(plan.loss).__name__, "its target is the input, which the tail does not have")
    if plan.accumulate > 1 or made.sizes:
        raise InvalidInput("plan", "with micro-batches or several sizes", "plan one step of one size, and cut that")
    graph = captured.graph
    edge = _edge(graph, set(made.updated))
    layouts = {f"output{i or ''}": _face(v) for i, v in enumerate(edge)}
    before = ir.Graph(graph.inputs, graph.state, dict(zip(layouts, edge, strict=True)))
    needed = _leaves(before)
    stored = captured.stored()
    kept = ir.Graph(graph.inputs, {n: graph.state[n] for n in needed}, before.outputs)
    network = Network(
        ir.frozen(kept, {n: stored[n] for n in needed}), f"{plan.name}_frozen",
        {**{n: captured.layouts[n] for n in graph.inputs}, **layouts}, {n: stored[n] for n in needed},
    )  # fmt: skip
    return Cut(plan, plan_inference(network, device=plan.device), _tail(plan, edge, list(layouts.values())))


def _edge(graph: ir.Graph, learns: set[str]) -> list[ir.Value]:
    """What is computed from the inputs alone and frozen state, and read by something that is not."""
    fed, moved = set[ir.Node](), set[ir.Node]()
    for node in graph.nodes():
        if node.op == "input" or any(v.node in fed for v in node.inputs):
            fed.add(node)
        if (node.attrs.get("name") in learns and node.op == "state") or any(v.node in moved for v in node.inputs):
            moved.add(node)
    found: dict[ir.Value, None] = {}
    for node in graph.nodes():
        if node in moved:
            found.update((v, None) for v in node.inputs if v.node in fed and v.node not in moved)
    if not found or all(v.node.op == "input" for v in found):
        raise InvalidInput(
            "update", ", ".join(sorted(learns)), "its first layer learns: freeze some, as update='last:2'"
        )
    return list(found)


def _face(value: ir.Value) -> Layout:
    """Images cross as PyTorch has them."""
    if len(value.shape) == 4:
        n, h, w, c = value.shape
        return Layout.of((n, c, h, w), (0, 2, 3, 1))
    return Layout.of(value.shape)


def _leaves(graph: ir.Graph) -> list[str]:
    read = {node.attrs["name"] for node in graph.nodes() if node.op == "state"}
    return [n for n in graph.state if n in read]


def _tail(plan: Plan, edge: list[ir.Value], faces: list[Layout]) -> Plan:
    captured = plan.captured
    ports = [f"x{i or ''}" for i in range(len(edge))]
    inputs = {n: ir.input_leaf(n, v.spec, layout=f) for n, v, f in zip(ports, edge, faces, strict=True)}
    behind = ir.replaced(captured.graph, dict(zip(edge, inputs.values(), strict=True)))
    whole = ir.Graph(inputs, captured.graph.state, behind.outputs)
    names = set(_leaves(whole))
    state = {n: captured.state[n] for n in captured.state if n in names}
    tail = replace(
        captured,
        graph=ir.Graph(inputs, {n: v for n, v in captured.graph.state.items() if n in names}, whole.outputs),
        state=state,
        constant={},
        trainable=tuple(n for n in captured.trainable if n in names),
        aliases={},
        order=tuple(n for n in captured.order if n in names),
        layouts={**dict(zip(inputs, faces, strict=True)), **{n: captured.layouts[n] for n in whole.outputs}},
        layers=tuple(layer for layer in captured.layers if set(layer.names) & names),
    )
    parts = plan.programs.parts
    update = ",".join(f"{n}[:{parts[n].count}]" if n in parts else n for n in plan.programs.updated)
    wish = Wish(
        f"{plan.name}_tail", torch.nn.Identity(), (), plan.device, plan.budget, plan.loss, plan.optimizer,
        plan.schedule, update, captured.norms, None, plan.labels, None,
    )  # fmt: skip
    return attempt(wish, tail)


def emit_cut(made: Cut, folder: str | Path, target: str = "executorch") -> Path:
    """Write both parts: ``folder``/frozen for ``target``, which runs it by its delegate, and ``folder``/tail as C;
    whole, or not at all. :func:`selvedge.load_cut` runs them as one.

    Raises ``InvalidInput`` for another thing than a cut, and as :func:`selvedge.emit`.
    """
    from .compile import emit

    if not isinstance(made, Cut):
        raise InvalidInput("cut", f"of type {type(made).__name__}", "give what selvedge.cut(plan) returned")
    with files.directory(Path(folder), _owned) as place:
        emit(made.frozen, target, place / FROZEN)
        emit(made.tail, "c", place / TAIL)
        (place / PAIR).write_text(json.dumps(paired(place)), encoding="utf-8")
    return Path(folder)


def _owned(folder: Path) -> set[str] | None:
    """The parts of an earlier cut in ``folder``; None where there is none."""
    both = all((folder / part / "manifest.json").is_file() for part in (FROZEN, TAIL))
    return {FROZEN, TAIL, PAIR} if both else None


def cut_session(made: Cut, folder: str | Path, target: str = "executorch") -> CutSession:
    """The frozen part emitted for ``target`` into ``folder`` and run by it; the tail compiled for this machine."""
    from .compile import compile, emit

    return CutSession(load(emit(made.frozen, target, folder)), compile(made.tail))
