"""Fewer bytes for more work: sound, and on small steps as good as anything can be."""

from __future__ import annotations

import os
from math import inf

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from selvedge.planning.bound import bound_of_order
from selvedge.planning.kernel import Kernel, Lowered
from selvedge.planning.ordering import best_order
from selvedge.planning.saving import Price, least_any, save
from selvedge.planning.saving.expand import expand
from selvedge.planning.saving.search import Search
from selvedge.planning.saving.trace import profile
from selvedge.planning.trade import Trade

from .pebbles import cheapest
from .steps import training_steps

EXAMPLES = int(os.environ.get("SELVEDGE_EXAMPLES", "10"))
WITHIN = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None
)
LEAST = Trade(stream=False, least=True)
CLOSE = 1.03  # of the optimum


def price(seconds: dict[int, float]) -> Price:
    def of(kernel: Kernel) -> float:
        return seconds.get(kernel.id, 1.0)

    return Price(of, of)


def peak_of(low: Lowered, order: list[int]) -> int:
    return bound_of_order(low, order)


@WITHIN
@given(training_steps(3, 6))
def test_a_saved_step_makes_what_the_plain_one_makes(case: tuple[Lowered, dict[int, float]]) -> None:
    low, seconds = case
    start = list(best_order(low).order)
    found = save(low, start, 0, price(seconds), LEAST, 1.5 * sum(seconds[k] for k in start))
    assert found is not None
    made, order = found
    assert sorted(order) == [k.id for k in made.kernels]
    done: set[int] = set()
    for k in order:
        assert made.after[k] <= done
        done.add(k)
    # The same values come about: every kernel at least once, every instance that is again another's has its size.
    assert {i.state for i in made.instances if i.version == 1} == {i.state for i in low.instances if i.version == 1}
    size = {i.id: i.spec for i in made.instances}
    assert all(i.of is None or size[i.of] == i.spec for i in made.instances)
    assert peak_of(made, order) <= peak_of(low, start)
    assert peak_of(made, order) >= least_any(low)


@WITHIN
@given(training_steps(3, 6), st.floats(0.4, 1.0))
def test_the_profile_of_a_sequence_is_the_bound_of_its_program(
    case: tuple[Lowered, dict[int, float]], share: float
) -> None:
    low, seconds = case
    start = list(best_order(low).order)
    search = Search(low, price(seconds).seconds, price(seconds).cost, LEAST)
    limit = int(share * search.peak(start))
    found = search.below(start, limit)
    if found is None:
        return
    made, order = expand(low, search.facts.kernels, found)
    assert max(profile(search.facts, found)) == peak_of(made, order) <= limit
    lean = search.lean(found, limit, start)
    assert search.cost(lean) <= search.cost(found)
    assert search.peak(lean) <= limit


@WITHIN
@given(training_steps(2, 3), st.floats(1.0, 2.0))
def test_the_fewest_bytes_are_within_three_per_cent_of_the_optimum(
    case: tuple[Lowered, dict[int, float]], slowdown: float
) -> None:
    low, seconds = case
    start = list(best_order(low).order)
    most = slowdown * sum(seconds[k] for k in start)
    found = save(low, start, 0, price(seconds), LEAST, most)
    assert found is not None
    peak = peak_of(*found)
    # Bytes come in units of a kilobyte: where one less than this cannot be had, this is the optimum.
    better = int(peak / CLOSE) // 1024 * 1024
    if better < peak:
        assert cheapest(low, seconds, better, most + 1e-9) == inf


@WITHIN
@given(training_steps(2, 3), st.floats(0.5, 0.95))
def test_the_cheapest_way_below_a_limit_is_found(case: tuple[Lowered, dict[int, float]], share: float) -> None:
    low, seconds = case
    start = list(best_order(low).order)
    limit = max(least_any(low), int(share * peak_of(low, start)))
    most = 3.0 * sum(seconds[k] for k in start)
    found = save(low, start, limit, price(seconds), Trade(stream=False), most)
    optimum = cheapest(low, seconds, limit, most + 1e-9)
    if found is None:
        assert optimum == inf
        return
    search = Search(low, price(seconds).seconds, price(seconds).cost, LEAST)
    made, order = found
    assert peak_of(made, order) <= limit
    spent = sum(_seconds(made.kernels[k], low, seconds) for k in order)
    assert spent <= CLOSE * optimum + 1e-9, (spent, optimum, search.cost(start))


def _seconds(kernel: Kernel, low: Lowered, seconds: dict[int, float]) -> float:
    """What a run costs: kernels keep the place of what they write, or write it again."""
    return next(seconds[k.id] for k in low.kernels if k.label == kernel.label)
