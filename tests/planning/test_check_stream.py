"""Streamed plans that would read or write the wrong bytes, each refused by the checker that knows nothing of the
planner."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from selvedge.ir.graph import Spec
from selvedge.planning.check import BadPlan, check
from selvedge.planning.kernel import Instance, Kernel
from selvedge.planning.schedule import Arrangement, Program
from selvedge.planning.stream import stream

from .chains import arranged, fixed_chain


def plan_of() -> Arrangement:
    made = fixed_chain()
    whole = made.lowered()
    plan, _ = arranged(made, {"p": stream(whole, [k.id for k in whole.kernels], 2)})
    return plan


PLAN = plan_of()
PROGRAM = PLAN.programs["p"]
STREAM = next(k for k in PROGRAM.kernels.values() if k.inner)


def with_program(**changes: object) -> Arrangement:
    return replace(PLAN, programs={"p": replace(PROGRAM, **changes)})


def with_kernel(kernel: Kernel) -> Arrangement:
    return with_program(kernels={**PROGRAM.kernels, kernel.id: kernel})


def window(number: int, **changes: object) -> Arrangement:
    windows = list(STREAM.windows)
    windows[number] = replace(windows[number], **changes)
    return with_kernel(replace(STREAM, windows=tuple(windows)))


def inner(number: int, **changes: object) -> Arrangement:
    kernels = list(STREAM.inner)
    kernels[number] = replace(kernels[number], **changes)
    return with_kernel(replace(STREAM, inner=tuple(kernels)))


def scratch(by: int) -> Arrangement:
    i = STREAM.scratch
    assert i is not None
    spec = PROGRAM.instances[i].spec
    changed = replace(PROGRAM.instances[i], spec=Spec((spec.shape[0] + by,), spec.dtype))
    return with_program(
        instances={**PROGRAM.instances, i: changed}, sizes={**PROGRAM.sizes, i: PROGRAM.sizes[i] + 4 * by}
    )


def moved(port: Mapping[str, int], by: int) -> Arrangement:
    (i,) = port.values()
    return with_program(offsets={**PROGRAM.offsets, i: PROGRAM.offsets[i] + by})


def whole_as_well() -> Arrangement:
    value = STREAM.windows[0].value
    at = PROGRAM.offsets[STREAM.reads[0]]
    return with_program(
        instances={**PROGRAM.instances, value.id: value},
        sizes={**PROGRAM.sizes, value.id: value.spec.bytes},
        offsets={**PROGRAM.offsets, value.id: at},
    )


def other_value() -> Arrangement:
    value = replace(STREAM.windows[0].value, id=999)
    return window(0, value=Instance(999, value.label, value.spec))


DEEP = next(n for n, k in enumerate(STREAM.inner) if k.family == "depthwise")
WIDE = [n for n, w in enumerate(STREAM.windows) if w.over is None]
BROKEN: dict[str, Callable[[], Arrangement]] = {
    "a window a row short": lambda: window(WIDE[0], rows=STREAM.windows[WIDE[0]].rows - 1),
    "a window a row too long": lambda: window(WIDE[1], rows=STREAM.windows[WIDE[1]].rows + 1),
    "two windows in one place": lambda: window(WIDE[1], offset=STREAM.windows[WIDE[0]].offset),
    "windows that share a row": lambda: window(WIDE[1], offset=STREAM.windows[WIDE[1]].offset - 64),
    "a window not aligned": lambda: window(WIDE[0], offset=STREAM.windows[WIDE[0]].offset + 2),
    "scratch to spare": lambda: scratch(1),
    "scratch too small": lambda: scratch(-1),
    "more rows a step than the windows were made for": lambda: with_kernel(
        replace(STREAM, params={**STREAM.params, "rows": 3})
    ),
    "fewer rows a step": lambda: with_kernel(replace(STREAM, params={**STREAM.params, "rows": 1})),
    "no rows a step": lambda: with_kernel(replace(STREAM, params={**STREAM.params, "rows": 0})),
    "another number of images": lambda: with_kernel(replace(STREAM, params={**STREAM.params, "images": 1})),
    "a reader before its maker": lambda: with_kernel(
        replace(STREAM, inner=(STREAM.inner[1], STREAM.inner[0], *STREAM.inner[2:]))
    ),
    "a kernel left out": lambda: with_kernel(replace(STREAM, inner=STREAM.inner[1:])),
    "a kernel twice": lambda: with_kernel(replace(STREAM, inner=(*STREAM.inner, STREAM.inner[0]))),
    "taps further apart than the window": lambda: inner(DEEP, params={**STREAM.inner[DEEP].params, "dh": 2}),
    "a tile larger than its room": lambda: with_kernel(
        replace(STREAM, params={**STREAM.params, "tile": STREAM.params["tile"] - 4})
    ),
    "a tile over the windows": lambda: with_kernel(
        replace(
            STREAM,
            params={**STREAM.params, "tile": STREAM.params["tile"] + 64},
            inner=tuple(
                replace(k, tile=replace(k.tile, units_per_tile=k.tile.units_per_tile + 4))
                if k.tile is not None and k.tile.staged
                else k
                for k in STREAM.inner
            ),
        )
    ),
    "made in the rows of what is not made of it": lambda: window(WIDE[0], over=STREAM.writes[0]),
    "a result nobody promised": lambda: with_kernel(replace(STREAM, writes=())),
    "an operand nobody promised": lambda: with_kernel(replace(STREAM, reads=STREAM.reads[1:])),
    "a window of what also exists whole": whole_as_well,
    "a window of another value": other_value,
    "the result over rows still to be read": lambda: moved(PROGRAM.outputs, -4),
    "the input where rows are written too early": lambda: moved(PROGRAM.inputs, -9 * 4 * 4),
}


def test_the_plan_itself_is_sound_and_lies_over_its_input() -> None:
    check(PLAN)
    program: Program = PROGRAM
    (x,), (y,) = program.inputs.values(), program.outputs.values()
    assert program.offsets[y] < program.offsets[x] + program.sizes[x]
    assert program.offsets[x] < program.offsets[y] + program.sizes[y]
    assert any(k.tile is not None and k.tile.staged for k in STREAM.inner)
    assert any(w.over is not None for w in STREAM.windows)


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_stream_is_refused(what: str) -> None:
    with pytest.raises(BadPlan) as caught:
        check(BROKEN[what]())
    print(what, "->", caught.value)
