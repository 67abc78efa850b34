"""Seconds to plan a training step, as graphs grow to 5,000 nodes; and how near the plan is to what no plan beats."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import selvedge as sv
from selvedge import ir
from selvedge.capture import capture, programs, select
from selvedge.capture.autodiff import gradients
from selvedge.capture.loss import loss as loss_by_name
from selvedge.ir.graph import ITEM_BYTES, Graph, Spec, Value
from selvedge.planning.arrange import arrange
from selvedge.planning.bound import bound_of_order
from selvedge.planning.check import check
from selvedge.planning.lower import lower
from selvedge.planning.ordering import best_order
from selvedge.planning.place import buffers
from selvedge.planning.placement import best_places
from selvedge.planning.program import machine

from .work import RATE, Work

T = TypeVar("T")
MODELS = ("mobilenet_v2",)
NODES = (250, 500, 1_000, 2_500, 5_000)
DEVICE = sv.Device(name="ample", ram="16GiB", flash=0, vector_bytes=32)  # a plan of any size fits, anywhere
STAGES = ("capture", "lower", "order", "place", "check")


def run(models: Sequence[str] = MODELS, quick: bool = False) -> Iterator[dict[str, Any]]:
    """A row a model at batch 1 and 8, then a row a stack of residual layers; everything learns, with momentum."""
    for spec in models:
        for batch in (1, 8):
            clock = Clock()
            graphs = clock("capture", lambda spec=spec, batch=batch: _captured(Work(spec, batch)))
            yield _row(f"`{spec}`, batch {batch}", graphs, clock)
    for nodes in NODES[:3] if quick else NODES:
        yield _row("residual layers", {"step": residual(layers_of(nodes))}, Clock())


class Clock:
    """Seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = dict.fromkeys(STAGES, 0.0)

    def __call__(self, stage: str, work: Callable[[], T]) -> T:
        start = time.perf_counter()
        made = work()
        self.seconds[stage] += time.perf_counter() - start
        return made


def _captured(work: Work) -> Mapping[str, Graph]:
    """The programs that :func:`selvedge.plan` would plan: momentum, every parameter."""
    captured = capture(work.model(), (work.x,))
    chosen = sv.SGD(lr=RATE, momentum=0.9)
    return programs(captured, loss_by_name(work.loss), chosen, select(captured, "full")).graphs


def _row(what: str, graphs: Mapping[str, Graph], clock: Clock) -> dict[str, Any]:
    """``graphs`` planned and checked, then once more stage by stage."""
    start = time.perf_counter()
    made = arrange(graphs, DEVICE)
    clock("check", lambda: check(made))
    total = time.perf_counter() - start + clock.seconds["capture"]
    updated = {name for g in graphs.values() for name in g.updates}
    for graph in graphs.values():
        lowered = clock("lower", lambda graph=graph: lower(graph, machine(DEVICE, made.dtype), updated))
        ordered = clock("order", lambda low=lowered: best_order(low))
        found = buffers(lowered, ordered.order)
        bound = bound_of_order(lowered, ordered.order)
        item = max(ITEM_BYTES[i.spec.dtype] for i in lowered.instances)
        clock("place", lambda f=found, i=item, b=bound: best_places(f, made.align, i, b))
    largest = max(made.programs.values(), key=lambda p: p.transient_bytes)
    return {
        "graph": what,
        "nodes": largest.nodes,
        "kernels": len(largest.kernels),
        "seconds": clock.seconds,
        "total": total,
        "transient": largest.transient_bytes,
        "bound": largest.bound_bytes,
        "bound_any_order": largest.any_order_bytes,
    }


def residual(layers: int, width: int = 64, batch: int = 8) -> Graph:
    """A training step of ``layers`` linear layers, every other one with a skip round it, by SGD with momentum: some 22
    nodes a layer."""
    x = ir.input_leaf("x", Spec((batch, width), "float32"))
    lr = ir.input_leaf("lr", Spec((), "float32"))
    state, h = {}, x
    for i in range(layers):
        w = state[f"{i}.w"] = ir.state_leaf(f"{i}.w", Spec((width, width), "float32"), "parameter")
        b = state[f"{i}.b"] = ir.state_leaf(f"{i}.b", Spec((width,), "float32"), "parameter")
        y = ir.apply("add", ir.apply("matmul", h, w, trans_a=False, trans_b=False), b)
        h = ir.apply("add", ir.apply("relu", y), h) if i % 2 else ir.apply("tanh", y)
    loss = ir.reduce("reduce_sum", ir.apply("square", h), (0, 1))
    outputs: dict[str, Value] = {"loss": loss, "output": h}
    for weight, gradient in gradients(loss, list(state.values())).items():
        name = weight.node.attrs["name"]
        momentum = ir.state_leaf(f"{name}.m", weight.spec, "optimizer")
        state[f"{name}.m"] = momentum
        outputs[f"{name}.m"] = ir.apply("add", ir.scale(momentum, 0.9), gradient)
        outputs[name] = ir.apply("sub", weight, ir.apply("mul", outputs[f"{name}.m"], lr))
    return Graph({"x": x, "lr": lr}, state, outputs)


def layers_of(nodes: int) -> int:
    """The fewest layers whose graph has so many nodes."""
    return max(1, -(-nodes // 22))


def gap(row: Mapping[str, Any]) -> float:
    """Per cent by which the transient bytes lie above what no order and no places beat."""
    return 100.0 * (row["transient"] / row["bound_any_order"] - 1)


def line(row: dict[str, Any]) -> str:
    """One row for the eye, while the others are made."""
    return f"{row['graph']}, {row['nodes']:,} nodes: {row['total']:.1f} s, gap {gap(row):.2f} %"


def slower(rows: Sequence[dict[str, Any]]) -> list[str]:
    """What breaks the table's promise: a plan of more than 1.02 times the bound of its order."""
    return [
        f"{r['graph']}, {r['nodes']:,} nodes: more than 2 % above the bound of its order"
        for r in rows
        if r["transient"] > 1.02 * r["bound"]
    ]


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown: seconds by stage, then bytes."""
    lines = [
        f"| graph | nodes | kernels | {' | '.join(f'{s} s' for s in STAGES)} | total s "
        "| in passing B | bound (order) | bound (any order) | gap % |",
        "|---|" + "---:|" * (len(STAGES) + 7),
    ]
    for r in rows:
        stages = " | ".join(f"{r['seconds'][s]:.2f}" if r["seconds"][s] else "-" for s in STAGES)
        proven = "0 (proven)" if r["transient"] <= r["bound_any_order"] else f"{gap(r):.2f}"
        lines.append(
            f"| {r['graph']} | {r['nodes']:,} | {r['kernels']:,} | {stages} | **{r['total']:.2f}** "
            f"| {r['transient']:,} | {r['bound']:,} | {r['bound_any_order']:,} | {proven} |"
        )
    return "\n".join(lines)
