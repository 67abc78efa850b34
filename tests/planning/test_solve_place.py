"""Where every placement can be tried, the best is found and proven; elsewhere bounds are bounds."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selvedge.planning.bound import bound_of_any_order, bound_of_order
from selvedge.planning.lower import lower
from selvedge.planning.place import Buffer, aligned, buffers, overlays, place
from selvedge.planning.placement import best_places
from selvedge.planning.search import lowest_peak
from selvedge.planning.solve_place import solve_place
from selvedge.planning.stack import RULES, stack

from .dags import elementwise
from .test_order import MACHINE, chain
from .test_place import assert_apart, intervals, live


@st.composite
def few(draw: st.DrawFn) -> list[Buffer]:
    """Up to six buffers, some of a size that needs no alignment."""
    return draw(intervals())[:6]


def lowest_top(found: list[Buffer], align: int, item: int) -> int:
    """Every placement can be pressed down, and is then one that lays its buffers from the lowest up, each as low as
    those before it let it lie: all of these."""
    steps = aligned(found, align, item)
    best = sum(b.bytes + align for b in found)
    for order in permutations(range(len(found))):
        laid: dict[int, int] = {}
        for i in order:
            at = 0
            met = [j for j in laid if found[i].start <= found[j].stop and found[j].start <= found[i].stop]
            for j in sorted(met, key=laid.__getitem__):
                if laid[j] < at + found[i].bytes:
                    at = max(at, -(-(laid[j] + found[j].bytes) // steps[i]) * steps[i])
            laid[i] = at
        best = min(best, max(laid[i] + found[i].bytes for i in laid))
    return best


@settings(max_examples=60, deadline=None)
@given(few(), st.sampled_from([4, 8, 16, 64]))
def test_the_solver_finds_the_lowest_top_and_proves_it(found: list[Buffer], align: int) -> None:
    """From buffers one above the other."""
    least, at, start = lowest_top(found, align, 4), 0, {}
    for b in found:
        start[b.instances[0]] = -(-at // align) * align
        at = start[b.instances[0]] + b.bytes
    made = solve_place(found, align, 4, start, live(found), limit=10.0)
    assert made.top == made.bound == least
    assert made.proven
    assert_apart(found, made.offsets, made.top)


@settings(max_examples=100, deadline=None)
@given(few(), st.sampled_from([4, 8, 16, 64]), st.integers(0, RULES - 1))
def test_stacking_reaches_a_target_exactly_where_it_can_be_reached(found: list[Buffer], align: int, rule: int) -> None:
    least = lowest_top(found, align, 4)
    made = stack(found, align, 4, least, limit=10**6, rule=rule)
    assert made.offsets is not None
    assert_apart(found, {b.instances[0]: o for o, b in zip(made.offsets, found, strict=True)}, least)
    assert all(o % step == 0 for o, step in zip(made.offsets, aligned(found, align, 4), strict=True))
    below = stack(found, align, 4, least - 1, limit=10**6, rule=rule)
    assert below.offsets is None
    assert below.ended


@settings(max_examples=100, deadline=None)
@given(few(), st.sampled_from([4, 16, 64]))
def test_the_best_places_are_the_best(found: list[Buffer], align: int) -> None:
    made = best_places(found, align, 4, live(found))
    assert made.top == lowest_top(found, align, 4) == made.bound
    assert_apart(found, made.offsets, made.top)


@st.composite
def some_over(draw: st.DrawFn) -> list[Buffer]:
    """Up to six buffers, some of which may lie over one that ends where they start."""
    found = draw(few())
    for n, b in enumerate(found):
        ending = [a for a in found[:n] if a.stop == b.start]
        if ending and draw(st.booleans()):
            under = draw(st.sampled_from(ending))
            found[n] = replace(b, over=(under.instances[0], draw(st.integers(0, b.bytes))))
    return found


def lowest_top_over(found: list[Buffer], align: int, item: int) -> int:
    """Of every order from the lowest up, each as low as those below it let it lie."""
    steps, over = aligned(found, align, item), overlays(found)
    best = sum(b.bytes + align for b in found)
    for order in permutations(range(len(found))):
        laid: dict[int, int] = {}
        for i in order:
            met = [j for j in laid if found[i].start <= found[j].stop and found[j].start <= found[i].stop]
            at = max((laid[j] + over.get((j, i), found[j].bytes) for j in met), default=0)
            laid[i] = -(-at // steps[i]) * steps[i]
        best = min(best, max(laid[i] + found[i].bytes for i in laid))
    return best


@settings(max_examples=100, deadline=None)
@given(some_over(), st.sampled_from([4, 16, 64]))
def test_buffers_that_may_lie_over_others_lie_as_low_as_any(found: list[Buffer], align: int) -> None:
    made, over = best_places(found, align, 4, 0), overlays(found)
    assert made.top == made.bound == lowest_top_over(found, align, 4)
    at = [made.offsets[b.instances[0]] for b in found]
    assert all(o % step == 0 for o, step in zip(at, aligned(found, align, 4), strict=True))
    for i, j in combinations(range(len(found)), 2):
        if found[i].start <= found[j].stop and found[j].start <= found[i].stop:
            assert any(at[a] + over.get((a, b), found[a].bytes) <= at[b] for a, b in ((i, j), (j, i)))


@settings(max_examples=60, deadline=None)
@given(intervals(), st.sampled_from([4, 16, 64]))
def test_no_means_makes_it_worse_and_no_bound_is_above_it(found: list[Buffer], align: int) -> None:
    bound = live(found)
    made = best_places(found, align, 4, bound)
    assert bound <= made.bound <= made.top <= place(found, align, 4, bound, tries=0)[1]
    assert_apart(found, made.offsets, made.top)
    for b in found:
        assert made.offsets[b.instances[0]] % (align if b.bytes % align == 0 else 4) == 0
    assert made == best_places(found, align, 4, bound)


def test_a_gap_that_no_placement_avoids_is_proven() -> None:
    """Each 64 bytes, aligned to 64, put the 4 bytes beside them on top; but the two of 4 bytes live together."""
    found = [Buffer((0,), 64, 0, 0), Buffer((1,), 4, 0, 1), Buffer((2,), 4, 1, 2), Buffer((3,), 64, 2, 2)]
    assert live(found) == 68
    offsets, _ = place(found, 64, 4, 68)
    for made in (best_places(found, 64, 4, 68), solve_place(found, 64, 4, offsets, 68, limit=10.0)):
        assert made.top == made.bound == lowest_top(found, 64, 4) == 72


@pytest.mark.parametrize(("nodes", "within"), [(200, 1.0), (1000, 1.0), (500, 1.005)])
def test_random_graphs_are_placed_at_their_bound_or_near_it(nodes: int, within: float) -> None:
    lowered = lower(elementwise(0, nodes), MACHINE, ())
    order = lowest_peak(lowered, bound_of_any_order(lowered))
    bound, found = bound_of_order(lowered, order), buffers(lowered, order)
    made = best_places(found, 16, 4, bound)
    assert_apart(found, made.offsets, made.top)
    assert made.top <= within * bound


def test_a_large_training_step_is_placed_at_its_bound() -> None:
    graph = chain(235)
    lowered = lower(graph, MACHINE, set(graph.updates))
    order = lowest_peak(lowered, bound_of_any_order(lowered))
    bound = bound_of_order(lowered, order)
    assert best_places(buffers(lowered, order), 64, 4, bound).top == bound
