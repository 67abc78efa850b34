"""What holds of every scenario: a slower link never makes the cloud sooner, what may not leave never does, a larger
fleet costs in proportion, and what is printed is what was computed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

import selvedge as sv
from selvedge.advising import (
    RADIOS,
    Board,
    Cloud,
    Costs,
    Cut,
    Data,
    Learning,
    Link,
    Privacy,
    Run,
    Scenario,
    Step,
    Wants,
)

from .check import check

MANY = settings(max_examples=60, deadline=None)


def numbers(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False, allow_subnormal=False)


def sizes(low: int, high: int) -> st.SearchStrategy[int]:
    return st.integers(low, high)


@st.composite
def models(draw: st.DrawFn) -> Costs:
    known = draw(st.booleans())
    joules = numbers(1e-6, 10.0) if known else st.none()
    total = draw(sizes(1, 10**10))
    shares = sorted(draw(st.lists(numbers(0.01, 0.99), max_size=4)))
    cuts = tuple(
        Cut(f"c{i}", draw(sizes(1, 10**6)), float(round(total * share)), draw(numbers(1e-6, 10)), draw(sizes(1, 10**6)),
            draw(sizes(1, 10**7)), draw(joules), draw(st.sampled_from([1, 4])))
        for i, share in enumerate(shares)
    )  # fmt: skip
    step = Step(3.0 * total, draw(numbers(1e-6, 100)), draw(sizes(1, 10**7)), draw(sizes(1, 10**7)),
                draw(sizes(1, 10**7)), draw(joules))  # fmt: skip
    run = Run(total, draw(numbers(1e-6, 10)), draw(sizes(1, 10**6)), draw(sizes(1, 10**7)), draw(joules))
    room = draw(st.none() | sizes(1, 10**7))
    return Costs("m", "d", run, cuts, draw(st.sampled_from([step, None])), "no step", room, room, draw(sizes(0, 10**7)))


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    """Energy is not limited: a model's may be unknown."""
    data = Data(draw(numbers(1, 1e6)), draw(sizes(1, 10**6)), draw(sizes(0, 1000)), draw(sizes(0, 1000)))
    link = Link(
        draw(st.just(0.0) | numbers(1, 1e8)), draw(st.just(0.0) | numbers(1, 1e8)), draw(numbers(0, 2)),
        draw(numbers(0, 1)), draw(numbers(0, 10)), draw(sizes(0, 100)), draw(st.none() | sizes(0, 10**9)),
        draw(st.none() | st.sampled_from(sorted(RADIOS))),
    )  # fmt: skip
    wants = Wants(draw(st.none() | numbers(1e-3, 10)), draw(numbers(0, 1)), None, draw(st.none() | numbers(0, 1e6)),
                  draw(st.sampled_from(["money", "energy", "latency", "bytes"])))  # fmt: skip
    learning = Learning()
    if draw(st.booleans()):
        times = draw(st.sampled_from([1 / 7, 1.0, 4.0]))
        learning = Learning(times, draw(numbers(1e-3, data.samples_per_day / times * 0.999)), draw(numbers(1, 1e4)),
                            draw(sizes(1, 64)), draw(sizes(1, 10)), draw(st.booleans()))  # fmt: skip
    cloud = Cloud(draw(numbers(1e6, 1e14)), draw(numbers(0.01, 1)), draw(numbers(0, 1)), draw(numbers(0, 10)),
                  draw(st.none() | numbers(1, 1e9)), draw(st.none() | numbers(1, 1e4)))  # fmt: skip
    allowed = Privacy(draw(st.booleans()), draw(st.booleans()), draw(st.booleans()))
    board = Board(draw(numbers(0, 1)), draw(st.none() | numbers(1e-3, 10)))
    fleet = draw(numbers(1, 1e6))
    return Scenario(data, link, allowed, wants, learning, cloud, board, "s", fleet,
                    draw(st.sampled_from(["float32", "int8"])))  # fmt: skip


@MANY
@given(scenarios(), models())
def test_what_is_printed_is_what_was_computed(asked: Scenario, model: Costs) -> None:
    made = sv.advise(asked, model)
    check(made)
    assert json.loads(json.dumps(made.to_dict(), allow_nan=False)) == made.to_dict()
    lines = str(made).splitlines()
    assert max(map(len, lines)) <= 110
    assert made.verdict in " ".join(line.strip() for line in lines)


@MANY
@given(scenarios(), models(), numbers(0, 1))
def test_a_slower_link_never_makes_the_cloud_or_a_split_sooner(asked: Scenario, model: Costs, share: float) -> None:
    link = asked.link
    slower = replace(asked, link=replace(link, up_bytes_per_s=share * link.up_bytes_per_s,
                                         down_bytes_per_s=share * link.down_bytes_per_s))  # fmt: skip
    fast, slow = sv.advise(asked, model), sv.advise(slower, model)
    assert slow.cloud.latency_s >= fast.cloud.latency_s
    assert [way.latency_s for way in slow.learnings] == [way.latency_s for way in fast.learnings]
    for before, after in zip((fast.cloud, *fast.splits), (slow.cloud, *slow.splits), strict=True):
        assert after.latency_s >= before.latency_s
        assert before.feasible or not after.feasible


@MANY
@given(scenarios(), models())
def test_what_may_not_leave_never_leaves_by_a_way_that_is_advised_as_feasible(asked: Scenario, model: Costs) -> None:
    made = sv.advise(asked, model)
    refused = {
        name
        for name, may in (
            ("samples", asked.privacy.raw_may_leave),
            ("features", asked.privacy.features_may_leave),
            ("updates", asked.privacy.updates_may_leave),
        )
        if not may
    }
    for way in (*made.learnings, made.cloud, *made.splits):
        assert not (way.feasible and refused & set(way.leaves))
    closed = sv.advise(replace(asked, privacy=Privacy(False, False, False)), model)
    assert closed.best.kind == "edge" or not closed.feasible
    assert not closed.feasible or closed.best.leaves == ()


@MANY
@given(scenarios(), models(), st.integers(2, 1000))
def test_a_fleet_costs_in_proportion(asked: Scenario, model: Costs, times: int) -> None:
    asked = replace(asked, learning=replace(asked.learning, together=False))
    one, many = sv.advise(asked, model), sv.advise(replace(asked, fleet=times * asked.fleet), model)
    pairs = zip((*one.learnings, one.cloud, *one.splits), (*many.learnings, many.cloud, *many.splits), strict=True)
    for before, after in pairs:
        assert after.bytes_per_day == before.bytes_per_day  # of a device
        assert abs(after.money_per_day - times * before.money_per_day) <= 1e-9 * after.money_per_day
        assert before.feasible or not after.feasible
        for name in ("fleet sends, on average", "machines of the cloud"):
            if any(line.name == name for line in before.sums):
                assert abs(after.sum(name).value - times * before.sum(name).value) <= 1e-9 * after.sum(name).value


@MANY
@given(scenarios(), models(), st.integers(2, 50))
def test_more_samples_never_cost_less(asked: Scenario, model: Costs, times: int) -> None:
    few = sv.advise(asked, model)
    many = sv.advise(
        replace(asked, data=replace(asked.data, samples_per_day=times * asked.data.samples_per_day)), model
    )
    names = ("up_bytes_per_day", "down_bytes_per_day", "money_per_day", "joules_per_day", "busy_s_per_day")
    for before, after in zip((*few.learnings, few.cloud, *few.splits), (*many.learnings, many.cloud, *many.splits),
                             strict=True):  # fmt: skip
        for name in names:
            own, other = getattr(before, name), getattr(after, name)
            assert (own is None) == (other is None)
            assert own is None or other >= own * (1 - 1e-12)


@MANY
@given(scenarios(), models())
def test_the_best_is_feasible_if_any_way_is_and_no_feasible_way_is_better(asked: Scenario, model: Costs) -> None:
    made = sv.advise(asked, model)
    every = (*made.learnings, made.cloud, *made.splits)
    assert made.feasible == any(way.feasible for way in every)
    key = {"money": "money_per_day", "latency": "latency_s", "bytes": "bytes_per_day"}.get(asked.wants.prefer)
    if made.feasible and key is not None:
        least = min(getattr(way, key) for way in every if way.feasible)
        assert getattr(made.best, key) <= least * (1 + 1e-8)
    if not made.feasible:
        assert made.best.binds is not None
        assert made.best.binds.used > 1
    assert sv.advise(asked, model) == made  # a pure function


@MANY
@given(scenarios(), models(), numbers(1, 10))
def test_a_looser_limit_forbids_nothing_that_was_allowed(asked: Scenario, model: Costs, times: float) -> None:
    wants = asked.wants
    looser: dict[str, Any] = {
        "latency_s": None if wants.latency_s is None else times * wants.latency_s,
        "money_per_day": None if wants.money_per_day is None else times * wants.money_per_day,
        "answered": wants.answered / times,
    }
    before, after = sv.advise(asked, model), sv.advise(replace(asked, wants=replace(wants, **looser)), model)
    for tight, loose in zip((*before.learnings, before.cloud, *before.splits),
                            (*after.learnings, after.cloud, *after.splits), strict=True):  # fmt: skip
        assert loose.feasible or not tight.feasible
