"""Deliberately broken plans that make values again or page them: the checker refuses each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest

import selvedge as sv
from selvedge.planning.check import BadPlan, check
from selvedge.planning.kernel import ARENA, Kernel
from selvedge.planning.schedule import Arrangement, Compute, Event, Free, Program
from tests.make.test_trade import PAGED, zoo

TRADE = sv.Trade(stream=False, masks=False, page=True, least=True, slowdown=50.0, objective="energy")


@cache
def sound() -> Arrangement:
    return zoo("resnet8", "folded", TRADE, PAGED).arrangement


def with_step(plan: Arrangement, step: Program) -> Arrangement:
    return replace(plan, programs={**plan.programs, "step": step})


def with_kernel(plan: Arrangement, kernel: Kernel) -> Arrangement:
    step = plan.programs["step"]
    return with_step(plan, replace(step, kernels={**step.kernels, kernel.id: kernel}))


def ordered(plan: Arrangement) -> list[Kernel]:
    step = plan.programs["step"]
    return [step.kernels[k] for k in step.order()]


def of_family(plan: Arrangement, family: str) -> list[Kernel]:
    return [k for k in ordered(plan) if k.family == family]


def again(plan: Arrangement) -> list[Kernel]:
    """Kernels that make a value a second time."""
    step = plan.programs["step"]
    return [
        k for k in ordered(plan) if k.family != "page_in" and any(step.instances[w].of is not None for w in k.writes)
    ]


def moved(plan: Arrangement, kernel: int, before: int) -> Arrangement:
    """``kernel`` run just before kernel ``before``; what is freed stays freed where it was."""
    step = plan.programs["step"]
    events: list[Event] = [e for e in step.schedule if e != Compute(kernel)]
    events.insert(events.index(Compute(before)), Compute(kernel))
    return with_step(plan, replace(step, schedule=tuple(events)))


def an_update_comes_before_a_kernel_that_runs_again_on_the_old_weight(plan: Arrangement) -> Arrangement:
    step = plan.programs["step"]
    for k in again(plan):
        weights = {step.instances[r].state for r in k.reads if step.instances[r].region != ARENA}
        for u in ordered(plan):
            if any(step.instances[w].state in weights for w in u.writes if step.instances[w].version == 1):
                return moved(plan, u.id, k.id)
    raise AssertionError("nothing that runs again reads a weight that learns")


def what_runs_again_reads_another_value(plan: Arrangement) -> Arrangement:
    step = plan.programs["step"]
    for k in again(plan):
        for n, r in enumerate(k.reads):
            for i in step.instances.values():
                like = i.spec == step.instances[r].spec and i.region == step.instances[r].region
                if like and i.id != r and i.of != r and step.instances[r].of != i.id:
                    return with_kernel(plan, replace(k, reads=(*k.reads[:n], i.id, *k.reads[n + 1 :])))
    raise AssertionError("no operand has a double")


def what_runs_again_does_something_else(plan: Arrangement) -> Arrangement:
    k = next(k for k in again(plan) if k.family == "conv2d")
    return with_kernel(plan, replace(k, params={**k.params, "dh": k.params["dh"] + 1}))


def what_runs_again_never_runs(plan: Arrangement) -> Arrangement:
    step, gone = plan.programs["step"], again(plan)[0]
    schedule = tuple(e for e in step.schedule if e != Compute(gone.id))
    return with_step(plan, replace(step, schedule=schedule))


def a_value_says_that_it_is_another_again(plan: Arrangement) -> Arrangement:
    step = plan.programs["step"]
    second = next(i for i in step.instances.values() if i.of is not None)
    made = {w for k in step.kernels.values() for w in k.writes if step.instances[w].region == ARENA}
    other = next(i for i in sorted(made) if i not in (second.id, second.of))
    instances = {**step.instances, second.id: replace(second, of=other)}
    return with_step(plan, replace(step, instances=instances))


def a_reader_takes_the_value_that_is_gone(plan: Arrangement) -> Arrangement:
    step = plan.programs["step"]
    for k in ordered(plan):
        for n, r in enumerate(k.reads):
            first = step.instances[r].of
            if first is not None:
                return with_kernel(plan, replace(k, reads=(*k.reads[:n], first, *k.reads[n + 1 :])))
    raise AssertionError("nothing is read that was made again")


def a_page_is_read_before_it_is_written(plan: Arrangement) -> Arrangement:
    page = of_family(plan, "page_in")[0]
    return moved(plan, page.id, ordered(plan)[0].id)


def a_page_is_never_written(plan: Arrangement) -> Arrangement:
    step, gone = plan.programs["step"], of_family(plan, "page_out")[0]
    kernels = {i: k for i, k in step.kernels.items() if i != gone.id}
    schedule = tuple(e for e in step.schedule if e != Compute(gone.id))
    return with_step(plan, replace(step, kernels=kernels, schedule=schedule))


def a_page_is_read_from_another_place(plan: Arrangement) -> Arrangement:
    page = of_family(plan, "page_in")[0]
    return with_kernel(plan, replace(page, params={**page.params, "at": page.params["at"] + 4096}))


def pages_lie_over_each_other(plan: Arrangement) -> Arrangement:
    one, other = of_family(plan, "page_out")[:2]
    bad = with_kernel(plan, replace(other, params={**other.params, "at": one.params["at"]}))
    for k in of_family(plan, "page_in"):
        if k.params["of"] == other.params["of"]:
            bad = with_kernel(bad, replace(k, params={**k.params, "at": one.params["at"]}))
    return bad


def a_page_lies_beyond_the_storage(plan: Arrangement) -> Arrangement:
    return with_step(plan, replace(plan.programs["step"], storage_bytes=4096))


def storage_is_larger_than_the_plan_promises(plan: Arrangement) -> Arrangement:
    return replace(plan, memory=replace(plan.memory, storage=plan.memory.storage - 4096))


def a_page_is_shorter_than_its_value(plan: Arrangement) -> Arrangement:
    page = of_family(plan, "page_out")[0]
    return with_kernel(plan, replace(page, params={**page.params, "bytes": page.params["bytes"] - 4}))


def a_page_is_written_after_its_value_was_freed(plan: Arrangement) -> Arrangement:
    step, page = plan.programs["step"], of_family(plan, "page_out")[0]
    events = list(step.schedule)
    events.remove(Free(page.reads[0]))
    events.insert(events.index(Compute(page.id)), Free(page.reads[0]))
    return with_step(plan, replace(step, schedule=tuple(events)))


def a_page_comes_back_over_the_state(plan: Arrangement) -> Arrangement:
    step, page = plan.programs["step"], of_family(plan, "page_in")[0]
    return with_step(plan, replace(step, offsets={**step.offsets, page.writes[0]: 0}))


SPOILS: list[Callable[[Arrangement], Arrangement]] = [
    an_update_comes_before_a_kernel_that_runs_again_on_the_old_weight,
    what_runs_again_reads_another_value,
    what_runs_again_does_something_else,
    what_runs_again_never_runs,
    a_value_says_that_it_is_another_again,
    a_reader_takes_the_value_that_is_gone,
    a_page_is_read_before_it_is_written,
    a_page_is_never_written,
    a_page_is_read_from_another_place,
    pages_lie_over_each_other,
    a_page_lies_beyond_the_storage,
    storage_is_larger_than_the_plan_promises,
    a_page_is_shorter_than_its_value,
    a_page_is_written_after_its_value_was_freed,
    a_page_comes_back_over_the_state,
]


def test_the_plan_itself_is_sound() -> None:
    plan = sound()
    assert again(plan)
    assert len(of_family(plan, "page_out")) > 1
    check(plan)


@pytest.mark.parametrize("spoil", SPOILS, ids=lambda s: s.__name__)
def test_a_broken_trade_is_refused(spoil: Callable[[Arrangement], Arrangement]) -> None:
    with pytest.raises(BadPlan):
        check(spoil(sound()))
