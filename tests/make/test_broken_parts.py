"""Deliberately broken plans in which a part of a weight learns: the checker refuses each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest

import selvedge as sv
from selvedge.planning.check import BadPlan, check
from selvedge.planning.kernel import STATE, Kernel, Operand
from selvedge.planning.schedule import Arrangement, Compute, Event
from tests.make.test_parts import planned

ROWS, PIECE = "4.weight", "2.weight"  # a part that lies in rows, and one that lies in one piece


@cache
def sound() -> Arrangement:
    return planned(sv.SGD(0.1, 0.9), update="2.*[:25%],4.weight[:25%],0.weight,0.bias").arrangement


def writer(plan: Arrangement, name: str) -> Kernel:
    step = plan.programs["step"]
    return next(k for k in step.kernels.values() if step.updates[name] in k.writes)


def with_kernel(plan: Arrangement, kernel: Kernel) -> Arrangement:
    step = plan.programs["step"]
    made = replace(step, kernels={**step.kernels, kernel.id: kernel})
    return replace(plan, programs={**plan.programs, "step": made})


def with_into(plan: Arrangement, name: str, change: Callable[[tuple[int, ...]], tuple[int, ...]]) -> Arrangement:
    """The part of ``name`` read and written with other strides."""
    kernel = writer(plan, name)
    e = kernel.expression
    assert e is not None
    ((write, old),) = e.into

    def moved(a: object) -> object:
        at_state = isinstance(a, Operand) and not a.raw and kernel.reads[a.read] in state
        return replace(a, strides=change(a.strides)) if at_state else a  # type: ignore[type-var]

    instances = plan.programs["step"].instances
    state = {r for r in kernel.reads if instances[r].state == name}
    steps = tuple(replace(s, args=tuple(map(moved, s.args))) for s in e.steps)  # type: ignore[arg-type]
    return with_kernel(plan, replace(kernel, expression=replace(e, steps=steps, into=((write, change(old)),))))


def it_comes_before_a_reader_of_the_whole(plan: Arrangement) -> Arrangement:
    step = plan.programs["step"]
    update = writer(plan, ROWS)
    order = [step.kernels[k] for k in step.order()]
    reader = next(
        k for k in reversed(order)
        if k is not update and any(step.instances[r].state == ROWS for r in k.reads)
    )  # fmt: skip
    events: list[Event] = [e for e in step.schedule if e != Compute(reader.id)]
    events.insert(events.index(Compute(update.id)) + 1, Compute(reader.id))
    made = replace(step, schedule=tuple(events))
    return replace(plan, programs={**plan.programs, "step": made})


def a_later_kernel_reads_the_old_whole_again(plan: Arrangement) -> Arrangement:
    step = plan.programs["step"]
    update = writer(plan, PIECE)
    reader = next(
        k for k in step.kernels.values()
        if k.family == "conv2d" and any(step.instances[r].state == PIECE for r in k.reads)
    )  # fmt: skip
    again = max(step.kernels) + 1
    events = list(step.schedule)
    events.insert(events.index(Compute(update.id)) + 1, Compute(again))
    made = replace(step, kernels={**step.kernels, again: replace(reader, id=again)}, schedule=tuple(events))
    return replace(plan, programs={**plan.programs, "step": made})


def it_writes_numbers_twice(plan: Arrangement) -> Arrangement:
    return with_into(plan, ROWS, lambda s: (*s[:-2], 1, s[-1]))


def it_writes_behind_the_end(plan: Arrangement) -> Arrangement:
    return with_into(plan, ROWS, lambda s: (*s[:-2], 1000 * s[-2], s[-1]))


def it_is_read_in_rows_and_written_in_one_piece(plan: Arrangement) -> Arrangement:
    kernel = writer(plan, ROWS)
    e = kernel.expression
    assert e is not None
    ((write, _),) = e.into
    return with_kernel(plan, replace(kernel, expression=replace(e, into=((write, (e.extents[1], 1)),))))


def the_part_is_taken_for_the_whole(plan: Arrangement) -> Arrangement:
    kernel = writer(plan, PIECE)
    assert kernel.expression is not None
    return with_kernel(plan, replace(kernel, expression=replace(kernel.expression, into=())))


def what_is_no_state_is_written_in_part(plan: Arrangement) -> Arrangement:
    step = plan.programs["step"]
    for k in step.kernels.values():
        e = k.expression
        if e is not None and e.results and not e.into and step.instances[k.writes[e.results[0][0]]].region != STATE:
            return with_kernel(
                plan, replace(k, expression=replace(e, into=((e.results[0][0], (1,) * len(e.extents)),)))
            )
    raise AssertionError("no loop writes the arena")


def another_state_is_written_in_the_rest(plan: Arrangement) -> Arrangement:
    """The slot of a moment of the part, laid over the rest of its weight."""
    slot, other = plan.slots[PIECE], plan.slots[f"{PIECE}.momentum"]
    return replace(
        plan, slots={**plan.slots, other.name: replace(other, offset=slot.offset + slot.bytes - other.bytes)}
    )


BROKEN = [
    (it_comes_before_a_reader_of_the_whole, "before"),
    (a_later_kernel_reads_the_old_whole_again, "before|overwritten"),
    (it_writes_numbers_twice, "twice"),
    (it_writes_behind_the_end, "behind"),
    (it_is_read_in_rows_and_written_in_one_piece, "over its own operand"),
    (the_part_is_taken_for_the_whole, "it has another size"),
    (what_is_no_state_is_written_in_part, "no state"),
    (another_state_is_written_in_the_rest, "overlaps"),
]


def test_the_plan_is_sound_until_it_is_broken() -> None:
    check(sound())
    assert writer(sound(), ROWS).family == "loop"
    assert writer(sound(), PIECE).family == "conv2d_weight_grad"


@pytest.mark.parametrize(("broken", "said"), BROKEN, ids=lambda b: getattr(b, "__name__", ""))
def test_a_broken_part_is_refused(broken: Callable[[Arrangement], Arrangement], said: str) -> None:
    with pytest.raises(BadPlan, match=said):
        check(broken(sound()))
