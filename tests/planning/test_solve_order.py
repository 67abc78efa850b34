"""The solver's order is the best there is, its bound is a bound, and a whole search says the same."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selvedge.planning.bound import bound_of_any_order, bound_of_order
from selvedge.planning.kernel import Lowered
from selvedge.planning.lower import lower
from selvedge.planning.order import Replay, liveness
from selvedge.planning.ordering import best_order
from selvedge.planning.search import Ordered, descend, peak_of, prove
from selvedge.planning.solve_order import MOST, contracted, solve_order
from selvedge.planning.tally import Steps, Tally

from . import dags
from .dags import elementwise, is_order, lowereds, optimum
from .test_order import MACHINE, chain


def natural(lowered: Lowered) -> Ordered:
    """The kernels as they come, and no bound."""
    order = tuple(k.id for k in lowered.kernels)
    return Ordered(order, dags.peak_of(lowered, order), 0)


@settings(max_examples=40, deadline=None)
@given(lowereds())
def test_the_solver_finds_the_best_order_and_proves_it(lowered: Lowered) -> None:
    """From a poor order and without a bound, against every order tried."""
    made = solve_order(Steps.of(lowered), natural(lowered), limit=20.0)
    assert is_order(lowered, made.order)
    assert made.peak == made.floor == dags.peak_of(lowered, made.order) == optimum(lowered)


@settings(max_examples=100, deadline=None)
@given(lowereds(most=9))
def test_a_whole_search_finds_the_best_order_and_proves_it(lowered: Lowered) -> None:
    made = prove(Steps.of(lowered), natural(lowered), work=10**6)
    assert is_order(lowered, made.order)
    assert made.peak == made.floor == dags.peak_of(lowered, made.order) == optimum(lowered)


@settings(max_examples=40, deadline=None)
@given(lowereds(), st.sampled_from([0, 1, 30]), st.sampled_from([0.0, 1e-4]))
def test_cut_short_neither_says_more_than_it_knows(lowered: Lowered, work: int, limit: float) -> None:
    steps, start = Steps.of(lowered), natural(lowered)
    for made in (prove(steps, start, work), solve_order(steps, start, limit)):
        assert made.floor <= optimum(lowered) <= made.peak == dags.peak_of(lowered, made.order) <= start.peak


@settings(max_examples=60, deadline=None)
@given(lowereds())
def test_small_graphs_are_ordered_and_proven(lowered: Lowered) -> None:
    made = best_order(lowered)
    assert made.peak == made.floor == optimum(lowered) == bound_of_order(lowered, made.order)


@settings(max_examples=60, deadline=None)
@given(lowereds(most=10))
def test_some_best_order_runs_every_group_without_a_break(lowered: Lowered) -> None:
    """The best over the orders of groups, tried one set after another, is the best over all."""
    groups = contracted(Steps.of(lowered))
    assert sorted(k for g in groups for k in g) == list(range(len(lowered.kernels)))
    best = {frozenset[int](): natural(Lowered(()
        , lowered.instances, {}, lowered.inputs, {}, {}, None, {})).peak}  # fmt: skip
    for _ in groups:
        onward: dict[frozenset[int], int] = {}
        for done, peak in best.items():
            for g in groups:
                ran, now = done, peak
                for k in g:
                    if k in ran or not lowered.after[k] <= ran:
                        break
                    now = max(now, dags.while_running(lowered, ran, k))
                    ran = ran | {k}
                else:
                    onward[ran] = min(onward.get(ran, now), now)
        best = onward or best
    assert best[frozenset(range(len(lowered.kernels)))] == optimum(lowered)


@settings(max_examples=60, deadline=None)
@given(lowereds(most=16), st.randoms(use_true_random=False))
def test_a_tally_counts_as_a_replay_does_and_takes_back_what_it_took(lowered: Lowered, rng: object) -> None:
    steps = Steps.of(lowered)
    tally = Tally(steps)
    replays = [Replay(lowered, liveness(lowered))]
    for _ in range(4 * len(lowered.kernels)):
        replay = replays[-1]
        assert tally.bytes == replay.bytes
        for k in tally.ready:
            assert (tally.bytes + tally.during[k], tally.bytes + tally.after[k]) == replay.effect(k)
        if tally.ready and (rng.random() < 0.7 or not tally.taken):  # type: ignore[attr-defined]
            kernel = rng.choice(sorted(tally.ready))  # type: ignore[attr-defined]
            tally.take(kernel)
            replays.append(replay.copy())
            replays[-1].take(kernel)
        elif tally.taken:
            tally.untake()
            replays.pop()


def test_the_solver_raises_the_bound_where_searching_whole_takes_too_long() -> None:
    """Forty loops with forks everywhere: the relaxation knows less than half of what is needed."""
    steps = Steps.of(lower(elementwise(0, 100), MACHINE, ()))
    floor = bound_of_any_order(steps.lowered)
    peak, order = descend(steps, floor)
    made = solve_order(steps, Ordered(order, peak, floor))
    assert 2 * floor < made.floor <= made.peak <= peak
    assert made.peak == peak_of(steps, made.order)
    assert made == solve_order(steps, Ordered(order, peak, floor))


@pytest.mark.parametrize("layers", [4, 47, 235])
def test_training_steps_are_proven_whatever_their_size(layers: int) -> None:
    """Above what the relaxation can show: no order of 1,400 kernels needs less."""
    graph = chain(layers)
    lowered = lower(graph, MACHINE, set(graph.updates))
    made = best_order(lowered)
    assert bound_of_any_order(lowered) < made.floor == made.peak == bound_of_order(lowered, made.order)
    assert is_order(lowered, made.order)
    assert len(contracted(Steps.of(lowered))) < len(lowered.kernels)
    assert layers == 4 or len(lowered.kernels) > MOST
