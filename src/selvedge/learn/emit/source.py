"""The text of an emitted learner: settings and sizes, filled into C."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

import numpy as np

from ...artifact.manifest import Manifest
from ..learner import Learner
from .layout import LIVE, NAMES, learning
from .sample import replay, stored

FIRST = "/* Emitted from a learner of plan {digest}; do not edit."


def header(manifest: Manifest, form: np.dtype[Any], learner: Learner) -> str:
    """NAME_live.h."""
    name, upper = manifest.name, manifest.name.upper()
    members = []
    for field in form.names or ():
        kind = form[field].base
        if field == "live":
            members.append("    sv_live live;")
            continue
        called = "sv_entry" if field == "diary" else NAMES[kind.str[1:]]
        members.append(f"    {called} {field}[{form[field].shape[0]}];")
    sample = "float" if learner.memory.dtype == np.float32 else "unsigned char"
    n = int(np.prod(learner.memory.sample_shape))
    waits = "" if learner.pending is None else _WAITS.format(name=name, sample=sample)
    return _HEADER.format(
        first=FIRST.format(digest=manifest.digest), name=name, upper=upper, members="\n".join(members), n=n,
        sample=sample, state=form.itemsize, live=LIVE.itemsize, classes=manifest.classes, waits=waits,
        every=learner.habits.every,
    )  # fmt: skip


_HEADER = """{first}
 * A learner that is never worse than it began: all that changes is in {name}_live and in the arena, between calls. Put
 * {name}_live away as it is; when it has come back, {name}_init and {name}_live_resume go on from it. A sample is
 * {n} elements as PyTorch has them, channels first. Compile {name}_live.c with -ffp-contract=off. */
#ifndef SELVEDGE_{upper}_LIVE_H
#define SELVEDGE_{upper}_LIVE_H

#include "live.h"
#include "{name}.h"

#define {upper}_LIVE_BYTES {state}
#define {upper}_LIVE_SAMPLE {n}
#define {upper}_LIVE_CLASSES {classes}
#define {upper}_LIVE_EVERY {every} /* samples of a round */

typedef struct {{
{members}
}} {name}_live;

/* As it was counted, or it does not compile. */
typedef char {name}_live_of_its_bytes[sizeof({name}_live) == {upper}_LIVE_BYTES && sizeof(sv_live) == {live} ? 1 : -1];

#ifdef __cplusplus
extern "C" {{
#endif

/* After {name}_init: as new. Asks the anchor's judges once. */
void {name}_live_init({name}_live *l, {name}_context *c);
/* After {name}_init: go on from a {name}_live that was put away. */
void {name}_live_resume({name}_live *l, {name}_context *c);
/* The logits, in the arena until the next call; 0 where the sample, or one of them, is not a number. */
const float *{name}_live_predict({name}_live *l, {name}_context *c, const {sample} *x);
/* SV_LIVE_KEPT, SV_LIVE_ROUND (and it has learnt), SV_LIVE_REFUSED or SV_LIVE_BAD_LABEL: see live_plan.h. */
int32_t {name}_live_learn({name}_live *l, {name}_context *c, const {sample} *x, int32_t y);
/* End the round with what is there. */
void {name}_live_finish({name}_live *l, {name}_context *c);
/* Back to the weights that it began with. */
void {name}_live_reset({name}_live *l, {name}_context *c);
{waits}
#ifdef __cplusplus
}}
#endif

#endif
"""

_WAITS = """/* Keep a sample until its label comes: its ticket. */
uint64_t {name}_live_wait({name}_live *l, {name}_context *c, const {sample} *x);
/* Its label: as {name}_live_learn, or SV_LIVE_LATE. */
int32_t {name}_live_label({name}_live *l, {name}_context *c, uint64_t ticket, int32_t y);
"""


def source(manifest: Manifest, form: np.dtype[Any], learner: Learner, entries: int) -> str:
    """NAME_live.c."""
    name, upper, habits = manifest.name, manifest.name.upper(), learner.habits
    parts, blended = learning(manifest), learner.memory.sample_shape
    dims, strides = stored(manifest.programs["predict"].inputs["x"], blended)
    memory, held_out, shipped, preprocess = learner.memory, learner.held_out, learner.anchor, manifest.preprocess
    sample = "float" if memory.dtype == np.float32 else "unsigned char"
    rate = manifest.schedule.lr(0) if habits.rate is None else habits.rate
    plan = {
        "predict": "predict", "step": "step", "parts": "parts", "part_count": len(parts),
        "predict_x": f"{upper}_PREDICT_X", "predict_output": f"{upper}_PREDICT_OUTPUT", "step_x": f"{upper}_STEP_X",
        "step_y": f"{upper}_STEP_Y", "step_rate": f"{upper}_STEP_LR", "step_loss": f"{upper}_STEP_LOSS",
        "batch": manifest.batch, "elements": int(np.prod(blended)), "classes": manifest.classes,
        "dims": _list(dims), "strides": _list(strides), "plane": int(np.prod(blended[1:])),
        "item": memory.dtype.itemsize, "memory": replay(memory, "memory")[0], "memory_random": _seed(memory),
        "seed": f"UINT64_C({learner._candidate.lessons.draws.seed % (1 << 64)})",
        "every": habits.every, "steps": habits.steps, "hold_out": habits.hold_out, "warm": habits.warm,
        "blends": len(habits.blends), "rate": f"{float(np.float32(rate)).hex()}f", "shares": _list(habits.shares),
        "alpha": _real(habits.alpha), "error": _real(habits.error), "shadow": _real(habits.shadow),
        "log_drop": _real(math.log(habits.drop)), "log_classes": _real(math.log(manifest.classes)),
        "blend": _list(habits.blends), "diary": entries,
    }  # fmt: skip
    if held_out is not None:
        plan |= {"holds_out": 1, "held_out": replay(held_out, "held_out")[0], "held_out_random": _seed(held_out)}
    if shipped is not None:
        plan |= {
            "anchor_x": "anchor_x", "anchor_y": "anchor_y", "anchor_item": shipped.x.dtype.itemsize,
            "teaching": shipped.teaching, "judging": shipped.judging, "margin": _real(shipped.margin),
        }  # fmt: skip
    if learner.pending is not None:
        plan["waiting"] = learner.pending.capacity
    channels = ""
    if preprocess is not None:
        scale, offset = preprocess.per_channel(blended[0])
        channels = f"static const float scale[] = {_floats(scale)}, offset[] = {_floats(offset)};\n"
        plan |= {"scale": "scale", "offset": "offset"}
    rows = [f"    {{{e.offset}, {e.initial}, {e.bytes}, {kind}}}, /* {n} */" for n, e, kind in parts]
    given = [f for f in form.names or () if f not in ("live",)]
    return _SOURCE.format(
        first=FIRST.format(digest=manifest.digest), name=name, parts="\n".join(rows), channels=channels,
        anchor=f'#include "{name}_anchor.h"\n' if shipped is not None else "",
        plan="\n".join(f"    .{key} = {value}," for key, value in plan.items()),
        places="\n".join(f"    at.{field} = l->{field};" for field in given),
        sample=sample,
        waits="" if learner.pending is None else _WAITING.format(name=name, sample=sample),
    )  # fmt: skip


_SOURCE = """{first} */
#include "{name}_live.h"
{anchor}
static int32_t predict(void *context) {{ return {name}_predict(({name}_context *)context); }}

static int32_t step(void *context) {{ return {name}_step(({name}_context *)context); }}

/* What learns: in the arena, in the weights, bytes, kind. */
static const sv_live_part parts[] = {{
{parts}
}};

{channels}static const sv_live_plan plan = {{
{plan}
}};

static sv_live_at place({name}_live *l, {name}_context *c)
{{
    sv_live_at at;
    memset(&at, 0, sizeof at);
    at.plan = &plan;
    at.live = &l->live;
    at.context = c;
    at.arena = c->arena;
    at.weights = c->weights;
{places}
    return at;
}}

void {name}_live_init({name}_live *l, {name}_context *c)
{{
    memset(l, 0, sizeof *l);
    const sv_live_at at = place(l, c);
    sv_live_start(&at);
}}

void {name}_live_resume({name}_live *l, {name}_context *c)
{{
    const sv_live_at at = place(l, c);
    sv_live_resume(&at);
}}

const float *{name}_live_predict({name}_live *l, {name}_context *c, const {sample} *x)
{{
    const sv_live_at at = place(l, c);
    return sv_live_predict(&at, x);
}}

int32_t {name}_live_learn({name}_live *l, {name}_context *c, const {sample} *x, int32_t y)
{{
    const sv_live_at at = place(l, c);
    return sv_live_learn(&at, x, y);
}}

void {name}_live_finish({name}_live *l, {name}_context *c)
{{
    const sv_live_at at = place(l, c);
    sv_live_finish(&at);
}}

void {name}_live_reset({name}_live *l, {name}_context *c)
{{
    const sv_live_at at = place(l, c);
    sv_live_reset(&at);
}}
{waits}"""

_WAITING = """
uint64_t {name}_live_wait({name}_live *l, {name}_context *c, const {sample} *x)
{{
    const sv_live_at at = place(l, c);
    return sv_live_wait(&at, x);
}}

int32_t {name}_live_label({name}_live *l, {name}_context *c, uint64_t ticket, int32_t y)
{{
    const sv_live_at at = place(l, c);
    return sv_live_label(&at, ticket, y);
}}
"""


def anchor(manifest: Manifest, learner: Learner) -> str:
    """NAME_anchor.h."""
    shipped = learner.anchor
    assert shipped is not None
    assert shipped.y is not None
    flat = shipped.x.reshape(-1)
    numbers = [str(v) for v in flat.tolist()] if flat.dtype == np.uint8 else [f"{v.hex()}f" for v in flat.tolist()]
    kind = "unsigned char" if flat.dtype == np.uint8 else "float"
    return (
        f"{FIRST.format(digest=manifest.digest)}\n * Samples of where the model began: the first {shipped.teaching} "
        f"are learnt from, {shipped.judging} only judge. */\n"
        f"static const {kind} anchor_x[{flat.size}] = {{\n{_lines(numbers)}\n}};\n"
        f"static const int32_t anchor_y[{len(shipped.y)}] = {{\n{_lines([str(int(v)) for v in shipped.y])}\n}};\n"
    )


def _lines(numbers: list[str]) -> str:
    return ",\n".join("    " + ", ".join(numbers[i : i + 16]) for i in range(0, len(numbers), 16))


def _list(values: Collection[float]) -> str:
    return "{" + ", ".join(_real(v) if isinstance(v, float) else str(v) for v in values) + "}"


def _floats(values: Collection[float]) -> str:
    return "{" + ", ".join(f"{float(np.float32(v)).hex()}f" for v in values) + "}"


def _real(value: float) -> str:
    return float(value).hex()


def _seed(memory: Any) -> str:
    return f"UINT64_C({int(memory.state_dict()['random'][0])})"
