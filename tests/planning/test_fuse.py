"""Fused loops are still a graph: every node in one group, no group behind itself."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from selvedge import ir
from selvedge.capture.autodiff import gradients
from selvedge.ir.graph import LEAVES, Graph, Node, Spec, Value
from selvedge.planning.fuse import VIEWS, fuse, is_loop, root
from selvedge.planning.greedy import greedy
from selvedge.planning.lower import lower
from selvedge.planning.native import Machine

from .dags import elementwise, is_order

MACHINES = (Machine(lanes=1, tile_bytes=512), Machine(lanes=4, tile_bytes=4096))


def reads(groups: dict[Node, list[Node]]) -> dict[Node, set[Node]]:
    """Head -> the heads of the groups that its nodes read, worked out anew."""
    head = {node: h for h, members in groups.items() for node in members}
    return {
        h: {head[root(v).node] for node in members for v in node.inputs if root(v).node in head} - {h}
        for h, members in groups.items()
    }


@pytest.mark.parametrize("block", range(10))
def test_fusing_never_makes_a_cycle(block: int) -> None:
    """200 random graphs of 5 to 60 loops."""
    for seed in range(20 * block, 20 * block + 20):
        graph = elementwise(seed, 5 + seed * 55 // 200)
        groups = fuse(graph)
        every = [n for n in graph.nodes() if n.op not in LEAVES and n.op not in VIEWS]
        assert Counter(n for members in groups.members.values() for n in members) == Counter(every)
        order = groups.heads()
        at = {h: i for i, h in enumerate(order)}
        assert len(at) == len(groups.members)
        for h, sources in reads(groups.members).items():
            assert all(at[s] < at[h] for s in sources), seed
        for members in groups.members.values():
            assert sum(not is_loop(n) for n in members) <= 1
        for machine in MACHINES:
            lowered = lower(graph, machine, ())
            assert is_order(lowered, tuple(k.id for k in lowered.kernels))
            assert len(lowered.kernels) <= len(order)


def kernels(graph: Graph) -> list[str]:
    return [k.label for k in lower(graph, MACHINES[1], ()).kernels]


def test_a_chain_of_loops_is_one_kernel() -> None:
    x = ir.input_leaf("x", Spec((4, 8), "float32"))
    y = ir.apply("relu", ir.apply("add", ir.apply("tanh", x), x))
    assert kernels(Graph({"x": x}, {}, {"y": y})) == ["tanh + add + relu"]


def test_a_loop_rides_on_the_product_before_it() -> None:
    x, w = (ir.input_leaf(n, Spec((8, 8), "float32")) for n in "xw")
    y = ir.apply("relu", ir.apply("matmul", x, w, trans_a=False, trans_b=False))
    assert kernels(Graph({"x": x, "w": w}, {}, {"y": y})) == ["matmul + relu"]


def test_loops_round_a_product_stay_apart() -> None:
    """tanh feeds both the product and the loop behind it: one kernel of both would wait for itself."""
    x, w = (ir.input_leaf(n, Spec((8, 8), "float32")) for n in "xw")
    t = ir.apply("tanh", x)
    y = ir.apply("add", ir.apply("matmul", t, w, trans_a=False, trans_b=False), t)
    assert kernels(Graph({"x": x, "w": w}, {}, {"y": y})) == ["tanh", "matmul + add"]


@pytest.mark.parametrize("seed", range(40))
def test_no_update_is_fused_with_what_the_loss_needs(seed: int) -> None:
    """State of every shape, read by loops around a product; its new value is a loop over whatever has that shape."""
    rng = random.Random(seed)
    x, lr = ir.input_leaf("x", Spec((6, 4), "float32")), ir.input_leaf("lr", Spec((), "float32"))
    state = {
        f"p{i}": ir.state_leaf(f"p{i}", Spec(shape, "float32"), "parameter")
        for i, shape in enumerate(((6, 4), (6, 4), (4, 4), (1, 4), ()))
    }
    h = ir.apply("matmul", x, state["p2"], trans_a=False, trans_b=False) if rng.random() < 0.7 else x
    for _ in range(rng.randint(1, 5)):
        h = ir.apply(rng.choice(("add", "mul")), h, rng.choice([v for n, v in state.items() if n != "p2"]))
        h = ir.apply(rng.choice(("relu", "tanh", "square")), h)
    terms = ir.apply("square", h) if rng.random() < 0.7 else ir.apply("mul", ir.reduce("reduce_sum", h, (0, 1)), lr)
    axes = tuple(range(len(terms.shape)))
    loss = ir.reduce("reduce_sum", terms, axes) if axes else ir.apply("square", terms)
    outputs: dict[str, Value] = {"loss": loss, "output": h}
    for weight, gradient in gradients(loss, list(state.values())).items():
        name = weight.node.attrs["name"]
        outputs[name] = ir.apply("sub", weight, ir.apply("mul", gradient, lr))
    graph = Graph({"x": x, "lr": lr}, state, outputs)
    for machine in MACHINES:
        lowered = lower(graph, machine, set(graph.updates))
        maker = {w: k.id for k in lowered.kernels for w in k.writes}
        _, order = greedy(lowered)
        assert is_order(lowered, order)
        at = {k: i for i, k in enumerate(order)}
        for new in lowered.updates.values():
            assert at[maker[new]] > at[maker[lowered.gate]]


@pytest.mark.parametrize("seed", range(12))
def test_a_path_is_known_however_groups_were_merged(seed: int) -> None:
    """Against a search of every group, after each of thirty random merges."""
    rng = random.Random(seed)
    groups = fuse(elementwise(seed, 40))

    def leads(start: Node, goal: Node, skip_direct: bool) -> bool:
        edges = reads(groups.members)
        seen: set[Node] = set()
        stack = [s for s in edges[start] if not (skip_direct and s is goal)]
        while stack:
            head = stack.pop()
            if head not in seen:
                seen.add(head)
                stack.extend(edges[head])
        return goal in seen

    for _ in range(30):
        one, other = rng.sample(sorted(groups.members, key=groups.position.__getitem__), 2)
        for skip in (False, True):
            assert groups.reaches(one, other, skip) == leads(one, other, skip)
        apart = not leads(one, other, True) and not leads(other, one, False)
        assert groups.can_merge(one, other) == apart
        if apart and len(groups.members) > 4:
            groups.merge(one, other)
        assert len(groups.heads()) == len(groups.members)
