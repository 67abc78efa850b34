"""What batch, accumulation, clipping and the optimiser's state cost: predicted, measured, and by the formula."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from math import prod
from typing import Any

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import HealthCheck, given, settings

import selvedge as sv
from selvedge.planning.check import BadPlan, check
from selvedge.planning.kernel import Expression, Kernel
from selvedge.planning.schedule import Arrangement
from tests import oracle

from .test_memory import Small, assert_measured_is_predicted

EXAMPLES = int(os.environ.get("SELVEDGE_EXAMPLES", "3"))
BATCH = 4


def plan(optimizer: Any, accumulate: int = 1, update: str = "full", vector_bytes: int = 64, **options: Any) -> sv.Plan:
    torch.manual_seed(0)
    device = replace(oracle.WIDE, vector_bytes=vector_bytes)
    example = torch.zeros(BATCH, 3, 12, 12)
    return sv.plan(
        Small().eval(), example, device=device, optimizer=optimizer, accumulate=accumulate, update=update, **options
    )


def optimizers() -> st.SearchStrategy[Any]:
    options = {
        "clip_norm": st.sampled_from([None, 0.5]),
        "state_dtype": st.sampled_from([None, "bfloat16", "int8"]),
    }
    return st.one_of(
        st.builds(sv.SGD, st.just(0.01), momentum=st.just(0.9), nesterov=st.booleans(), **options),
        st.builds(sv.Adam, st.just(0.01), weight_decay=st.just(0.1), decoupled=st.booleans(), **options),
        st.builds(sv.RMSProp, st.just(0.01), momentum=st.sampled_from([0.0, 0.9]), **options),
    )


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(
    optimizers(), st.sampled_from([1, 2, 4]), st.sampled_from(["full", "last:2", "bias"]), st.sampled_from([0, 16, 64])
)
def test_measured_is_predicted(optimizer: Any, accumulate: int, update: str, vector_bytes: int) -> None:
    made = plan(optimizer, accumulate, update, vector_bytes)
    assert_measured_is_predicted(made)
    sizes = [prod(made.arrangement.slots[n].shape) for n in made.updated]
    slots = len(optimizer.slots)
    each = {None: lambda n: 4 * n, "bfloat16": lambda n: 2 * n, "int8": lambda n: n + 4 * -(-n // 64)}
    scalars = len(optimizer.shared) + (optimizer.state_dtype is not None)
    state = slots * sum(map(each[optimizer.state_dtype], sizes)) + 4 * scalars
    kinds = {k: sum(s.bytes for s in made.arrangement.slots.values() if s.kind == k) for k in KINDS}
    assert kinds["optimizer"] == state
    assert kinds["accumulator"] == (4 * sum(sizes) + 4 if accumulate > 1 else 0)
    learns = 4 * sum(sizes) + state + kinds["accumulator"]
    # What is no multiple of the alignment stands at the end, the largest items first: only the end is padded.
    assert made.persistent_bytes - learns < made.arrangement.align
    assert made.to_dict()["optimizer_bytes_per_parameter"] == state / sum(sizes)


KINDS = ("parameter", "optimizer", "accumulator")


def test_state_in_blocks_needs_no_whole_copy_of_itself() -> None:
    """No instance in passing holds a slot as numbers, and weight gradients are still made in tiles."""
    for optimizer in (sv.Adam(lr=0.01), sv.SGD(lr=0.01, momentum=0.9)):
        whole, packed = plan(optimizer), plan(replace(optimizer, state_dtype="int8"))
        assert packed.transient_bytes <= whole.transient_bytes + 16  # the count of updates
        assert packed.persistent_bytes < whole.persistent_bytes


def test_clipping_is_charged_for_the_gradients_it_keeps() -> None:
    plain, clipped = plan(sv.SGD(lr=0.01), batch=1), plan(sv.SGD(lr=0.01, clip_norm=1.0), batch=1)
    assert clipped.persistent_bytes == plain.persistent_bytes
    assert clipped.transient_bytes > plain.transient_bytes
    assert "their 4,244 B live together until then" in str(clipped).replace("\n  ", " ")
    kept = [plan(sv.SGD(lr=0.01, clip_norm=c), accumulate=BATCH) for c in (None, 1.0)]
    assert kept[0].arena_bytes == kept[1].arena_bytes
    assert "no further bytes" in str(kept[1]).replace("\n  ", " ")


def test_accumulating_trades_activations_for_accumulators() -> None:
    whole, divided = plan(sv.SGD(lr=0.01)), plan(sv.SGD(lr=0.01), accumulate=BATCH)
    single = plan(sv.SGD(lr=0.01), batch=1)
    assert divided.transient_bytes <= single.transient_bytes + 64
    assert divided.arena_bytes < whole.arena_bytes
    told = divided.to_dict()
    assert (told["batch"], told["micro_batch"], told["accumulate"]) == (BATCH, 1, BATCH)
    programs = divided.arrangement.programs
    assert told["macs"] == BATCH * programs["accumulate"].macs + programs["apply"].macs
    assert told["macs"] == whole.to_dict()["macs"]


def test_a_small_bias_has_its_own_scale() -> None:
    """No floor of 4,096 elements: five numbers take five bytes and one scale."""
    slots = plan(sv.SGD(lr=0.01, momentum=0.9, state_dtype="int8")).arrangement.slots
    assert (slots["head.bias.momentum"].dtype, slots["head.bias.momentum"].bytes) == ("int8", 5)
    assert slots["head.bias.momentum.scale"].bytes == 4


# -- bad plans --------------------------------------------------------------------------------------------------------


def blocked(plan: Arrangement) -> list[Kernel]:
    return [k for k in plan.programs["step"].kernels.values() if k.expression is not None and k.expression.block]


def spoilt(plan: Arrangement, kernel: Kernel, **changes: Any) -> Arrangement:
    step = plan.programs["step"]
    kernels = {**step.kernels, kernel.id: replace(kernel, **changes)}
    return replace(plan, programs={**plan.programs, "step": replace(step, kernels=kernels)})


def bad_plans(plan: Arrangement) -> Iterator[tuple[str, Arrangement]]:
    for kernel in blocked(plan):
        e = kernel.expression
        assert isinstance(e, Expression)
        yield "blocks", spoilt(plan, kernel, expression=replace(e, block=0))
        yield "blocks", spoilt(plan, kernel, expression=replace(e, block=32))
        yield "without scales", spoilt(plan, kernel, expression=replace(e, scales=e.scales[1:]))
        yield "without codes", spoilt(plan, kernel, expression=replace(e, results=()))
        a, b = e.scales[0][0], e.results[0][0]
        yield "takes", spoilt(plan, kernel, expression=replace(e, scales=((b, e.scales[0][1]), *e.scales[1:])))
        wrong = tuple((a if s == e.scales[0][1] else w, s) for w, s in e.results)
        yield "takes", spoilt(plan, kernel, expression=replace(e, results=wrong))
        tile = kernel.tile
        if tile is not None and tile.staged and tile.units > 1 and tile.unit % 64 and kernel.scratch is not None:
            made = spoilt(plan, kernel, tile=replace(tile, units_per_tile=1))
            step = made.programs["step"]
            sizes = {**step.sizes, kernel.scratch: 4 * tile.unit}
            yield "within a block", replace(made, programs={**made.programs, "step": replace(step, sizes=sizes)})


@pytest.mark.parametrize(
    "optimizer", [sv.SGD(0.01, momentum=0.9, state_dtype="int8"), sv.Adam(0.01, state_dtype="int8")]
)
def test_the_checker_knows_blocks(optimizer: Any) -> None:
    arrangement = plan(optimizer).arrangement
    check(arrangement)
    seen = set()
    for says, bad in bad_plans(arrangement):
        with pytest.raises(BadPlan, match=says):
            check(bad)
        seen.add(says)
    assert seen == {"blocks", "without scales", "without codes", "takes", "within a block"}


def test_the_checker_knows_the_norm_comes_before_the_first_update() -> None:
    arrangement = plan(sv.SGD(0.01, clip_norm=1.0)).arrangement
    step = arrangement.programs["step"]
    check(arrangement)
    assert step.gate == step.outputs["norm"]
    maker = next(k.id for k in step.kernels.values() if step.gate in k.writes)
    events = list(step.schedule)
    at = next(i for i, e in enumerate(events) if getattr(e, "kernel", None) == maker)
    events.append(events.pop(at))
    bad = replace(arrangement, programs={**arrangement.programs, "step": replace(step, schedule=tuple(events))})
    with pytest.raises(BadPlan):
        check(bad)


@pytest.mark.parametrize(
    "optimizer", [sv.SGD(lr=0.1, momentum=0.9, state_dtype="int8"), sv.Adam(lr=0.1, state_dtype="int8")]
)
def test_a_parameter_of_one_number_has_state_in_blocks(optimizer: Any) -> None:
    """As the bias of a binary classifier; one number is exact in 8 bits with a scale of its own."""
    torch.manual_seed(0)
    model, x, y = torch.nn.Linear(4, 1), torch.randn(BATCH, 4), torch.randn(BATCH, 1)
    states = []
    for one in (optimizer, replace(optimizer, state_dtype=None)):
        session = sv.compile(sv.plan(model, x, loss="mse", device=oracle.WIDE, optimizer=one, update="bias"))
        session.step(x, y)
        states.append(session.state_dict()["bias"])
    torch.testing.assert_close(*states)
