"""An order runs every kernel after what it needs; on small graphs it is the best there is; large ones are easy."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings

from selvedge import ir
from selvedge.capture.autodiff import gradients
from selvedge.ir.graph import Graph, Spec, Value
from selvedge.planning.bound import bound_of_any_order, bound_of_order
from selvedge.planning.greedy import greedy
from selvedge.planning.kernel import Lowered
from selvedge.planning.lower import lower
from selvedge.planning.native import Machine
from selvedge.planning.order import Replay, liveness
from selvedge.planning.ordering import best_order
from selvedge.planning.place import buffers
from selvedge.planning.placement import best_places
from selvedge.planning.search import lowest_peak, search

from .dags import elementwise, is_order, lowereds, optimum, peak_of

MACHINE = Machine(lanes=4, tile_bytes=4096)


@settings(max_examples=150, deadline=None)
@given(lowereds())
def test_small_graphs_get_the_best_order(lowered: Lowered) -> None:
    best = optimum(lowered)
    order = lowest_peak(lowered, bound_of_any_order(lowered))
    assert is_order(lowered, order)
    assert peak_of(lowered, order) == best


@settings(max_examples=80, deadline=None)
@given(lowereds())
def test_a_search_finds_an_order_exactly_where_there_is_one(lowered: Lowered) -> None:
    best = optimum(lowered)
    found = search(lowered, best, limit=10_000)
    assert found is not None
    assert is_order(lowered, found)
    assert peak_of(lowered, found) == best
    assert search(lowered, best - 1, limit=10_000) is None


@settings(max_examples=80, deadline=None)
@given(lowereds(most=24))
def test_greedy_orders_are_valid_and_counted_right(lowered: Lowered) -> None:
    peak, order = greedy(lowered)
    assert is_order(lowered, order)
    assert peak == peak_of(lowered, order)


@settings(max_examples=40, deadline=None)
@given(lowereds(most=24))
def test_a_copied_replay_goes_its_own_way(lowered: Lowered) -> None:
    _, order = greedy(lowered)
    replay = Replay(lowered, liveness(lowered))
    for at, kernel in enumerate(order):
        copied = replay.copy()
        during, after = replay.effect(kernel)
        replay.take(kernel)
        assert (replay.bytes, replay.peak >= during) == (after, True)
        for rest in order[at:]:
            copied.take(rest)
        assert copied.peak == peak_of(lowered, order)


# -- size ---------------------------------------------------------------------------------------------------------


def chain(layers: int) -> Graph:
    """A training step of ``layers`` residual linear layers with momentum: about 22 nodes a layer."""
    x = ir.input_leaf("x", Spec((2, 8), "float32"))
    lr = ir.input_leaf("lr", Spec((), "float32"))
    state, h = {}, x
    for i in range(layers):
        w = state[f"{i}.w"] = ir.state_leaf(f"{i}.w", Spec((8, 8), "float32"), "parameter")
        b = state[f"{i}.b"] = ir.state_leaf(f"{i}.b", Spec((8,), "float32"), "parameter")
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


@pytest.mark.parametrize(("kind", "least"), [("training step", 5000), ("elementwise", 3000)])
def test_thousands_of_nodes_are_easy(kind: str, least: int) -> None:
    """Lowered, bounded, ordered and placed, in less than a minute."""
    graph = chain(235) if kind == "training step" else elementwise(0, 3100)
    nodes = len(graph.nodes())
    start = time.perf_counter()
    lowered = lower(graph, MACHINE, set(graph.updates))
    made = best_order(lowered)
    placed = best_places(buffers(lowered, made.order), 16, 4, made.peak)
    seconds = time.perf_counter() - start
    assert nodes >= least
    assert is_order(lowered, made.order)
    assert made.floor <= made.peak == bound_of_order(lowered, made.order) <= placed.top <= 1.02 * made.peak
    assert seconds < 60
    print(f"{kind}: {nodes} nodes, {len(lowered.kernels)} kernels, {seconds:.1f} s, {placed.top} B over {made.floor} B")
