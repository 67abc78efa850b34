"""Bounds are bounds: of any order below the best order, of an order exactly its live bytes."""

from __future__ import annotations

from hypothesis import given, settings

from selvedge.ir.graph import Spec
from selvedge.planning.bound import bound_of_any_order, bound_of_order
from selvedge.planning.greedy import greedy
from selvedge.planning.kernel import Instance, Kernel, Lowered
from selvedge.planning.place import buffers, place

from .dags import lowereds, optimum, peak_of


@settings(max_examples=150, deadline=None)
@given(lowereds())
def test_no_order_beats_the_bound_of_any_order(lowered: Lowered) -> None:
    best = optimum(lowered)
    assert bound_of_any_order(lowered) <= best <= greedy(lowered)[0]


@settings(max_examples=80, deadline=None)
@given(lowereds(most=24))
def test_bounds_rise_from_any_order_to_this_order_to_this_place(lowered: Lowered) -> None:
    peak, order = greedy(lowered)
    bound = bound_of_order(lowered, order)
    assert bound_of_any_order(lowered) <= bound == peak == peak_of(lowered, order)
    assert bound <= place(buffers(lowered, order), 4, 4, bound)[1]


def line(sizes: list[int], inplace: bool) -> Lowered:
    """x -> kernel -> kernel -> ... -> y."""
    instances = tuple(Instance(i, str(i), Spec((n // 4,), "float32")) for i, n in enumerate(sizes))
    pairs = ((0, 0),) if inplace else ()
    kernels = tuple(Kernel(i, "loop", (i,), (i + 1,), inplace=pairs) for i in range(len(sizes) - 1))
    after = {k.id: frozenset({k.id - 1} if k.id else ()) for k in kernels}
    return Lowered(kernels, instances, after, {"x": 0}, {"y": len(sizes) - 1}, {}, None, {})


def test_a_chain_needs_its_largest_neighbours() -> None:
    lowered = line([400, 800, 1200, 400, 1600], inplace=False)
    assert bound_of_any_order(lowered) == bound_of_order(lowered, range(4)) == 2000


def test_a_chain_in_place_needs_its_largest_value() -> None:
    lowered = line([800, 800, 800], inplace=True)
    assert bound_of_any_order(lowered) == bound_of_order(lowered, range(2)) == 800


def test_two_results_in_place_of_two_operands_whatever_the_pairs_order() -> None:
    """The first result could take either operand, the second only one: both are in place."""
    instances = tuple(Instance(i, str(i), Spec((100,), "float32")) for i in range(4))
    kernel = Kernel(0, "loop", (0, 1), (2, 3), inplace=((0, 0), (0, 1), (1, 0)))
    lowered = Lowered((kernel,), instances, {0: frozenset()}, {"a": 0, "b": 1}, {"y": 2, "z": 3}, {}, None, {})
    assert bound_of_any_order(lowered) == bound_of_order(lowered, (0,)) == peak_of(lowered, (0,)) == 800
    assert place(buffers(lowered, (0,)), 4, 4, 800)[1] == 800
