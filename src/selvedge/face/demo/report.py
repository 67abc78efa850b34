"""The demonstration's page: one HTML file that needs nothing else."""

from __future__ import annotations

from html import escape
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ... import draw
from ...device.sizes import format_bytes
from ...draw import Line, pixels
from ...make.plan import Plan
from .chart import Part, bars
from .display import rows
from .outcome import Outcome, Track

TITLE = "A model adapts to a changed camera, in 64 KiB"


def page(outcome: Outcome) -> str:
    """The whole page; everything from elsewhere is escaped."""
    style = (Path(__file__).parent / "report.css").read_text(encoding="utf-8")
    plan = outcome.plan
    parts = [
        _headline(outcome),
        draw.section("What the camera did", _pictures(outcome)),
        draw.section("Accuracy while it learns", _curves(outcome)),
        draw.section("Memory", _memory(outcome)),
        draw.section("Every byte of a step", draw.memory(plan.arrangement, "step", plan.budget.ram)),
        draw.section("Side by side", _comparison(outcome)),
        draw.section("The plan", _plan(outcome)),
        draw.section("Where a step goes", draw.costs(plan.arrangement, "step", device=plan.device)),
    ]
    return draw.page(TITLE, parts, style=style)


def _headline(outcome: Outcome) -> str:
    before, after, plan = outcome.before, outcome.adapted.after, outcome.plan
    figures = (
        (f"{before.shifted:.1%} → {after.shifted:.1%}", "changed camera, held-out digits"),
        (f"{before.clean:.1%} → {after.clean:.1%}", "clean, held-out digits"),
        (f"{plan.arena_bytes:,} B", f"arena promised; {outcome.measured.arena:,} B measured"),
        (f"{outcome.adapted.step_s * 1e6:,.0f} µs", f"a step here; {_seconds(plan, 'step')} predicted on the device"),
    )
    return (
        "<p>A small CNN, trained on a workstation, meets a camera it does not know. It learns from "
        f"{outcome.adapted.points[-1].seen} new digits, each predicted before it is learnt from, in a fixed arena "
        f"planned for {escape(plan.device.summary)}. The same plan, byte for byte, was compiled for this machine "
        f"and ran here. Seed {outcome.seed}.</p>{draw.tiles(figures)}"
    )


def _pictures(outcome: Outcome) -> str:
    clean, shifted = outcome.clean_photos, outcome.shifted_photos
    first = [int(np.flatnonzero(clean.labels == label)[0]) for label in range(10)]

    def strip(name: str, codes: npt.NDArray[np.uint8]) -> str:
        shown = "".join(pixels(codes[i, 0], f"{name} {clean.labels[i]}") for i in first)
        return f'<p class="strip-name">{escape(name)}</p><div class="strip">{shown}</div>'

    c = outcome.camera
    return (
        strip("as trained", clean.codes)
        + strip("as the device sees it", shifted.codes)
        + f'<p class="note">The lamp is {c.gradient:.0%} brighter half a side from the middle, at {c.direction:g}°; '
        f"ink reflects {c.contrast:g} above a page of {c.floor:g}; the lens blurs by {c.blur:g} pixels; the sensor "
        f"adds {c.noise:.0%} of noise.</p>"
    )


def _curves(outcome: Outcome) -> str:
    def line(track: Track, label: str, colour: str, dashed: bool = False, clean: bool = False) -> Line:
        points = [(float(p.seen), p.scores.clean if clean else p.scores.shifted) for p in track.points]
        return Line(label, colour, points, dashed)

    adapted = outcome.adapted
    flat = [(float(p.seen), outcome.before.shifted) for p in adapted.points]
    chart = draw.curves(
        "Held-out accuracy over the stream",
        "samples of the stream",
        "accuracy",
        [
            line(adapted, "Selvedge, clean", "a", dashed=True, clean=True),
            line(outcome.full, "full update, PyTorch, changed camera", "c"),
            line(adapted, "Selvedge, changed camera", "a"),
            line(outcome.last_layer, "last layer only, changed camera", "b"),
            Line("no adaptation, changed camera", "d", flat),
        ],
        percent=True,
    )
    return (
        chart + f'<p class="note">Right over the stream itself, each sample predicted first: {adapted.stream:.1%}. '
        "The legend gives the last value of each line.</p>"
    )


def _memory(outcome: Outcome) -> str:
    plan = outcome.plan
    device, arena = plan.device, plan.arena_bytes
    free = device.ram - device.reserved_ram - outcome.replay_bytes - arena
    shares = [
        Part("arena", "a", arena),
        Part("replay", "c", outcome.replay_bytes),
        Part("stack and runtime", "d", device.reserved_ram),
        Part("free", "e", free),
    ]
    chart = bars(
        [
            (f"{device.name}:", shares),
            (f"predicted arena, update {plan.update}", [Part("predicted", "a", arena)]),
            ("measured arena", [Part("measured", "a", outcome.measured.arena)]),
            ("PyTorch, the same update", [Part("PyTorch", "b", outcome.torch_bytes)]),
            ("full update, planned: refused", [Part("full", "d", outcome.refusal.need)]),
            ("PyTorch, full update", [Part("PyTorch", "b", outcome.torch_full_bytes)]),
        ],
        (f"the budget of the arena, {plan.budget.ram:,} B", plan.budget.ram),
    )
    return (
        f'{chart}<p class="note">Measured: bytes that changed in memory painted before, in a checking build between '
        f"guard zones; its stack took {max(outcome.measured.stack.values()):,} B. PyTorch: all tensors alive at "
        "the peak of a step (parameters, buffers, momentum, gradients, activations); not what operators allocate "
        "inside themselves, and not the process. The plan keeps frozen weights in flash, PyTorch in RAM.</p>"
    )


def _comparison(outcome: Outcome) -> str:
    head = ("", "changed camera", "clean", "stream", "memory", "a step here")
    return draw.table(head, rows(outcome), strong=2) + (
        '<p class="note">Every learner has the same stream, replay and batch, and the rate that was best for it on '
        "validation digits. Memory: the arena, or for PyTorch the tensors. Step: median, one thread.</p>"
    )


def _plan(outcome: Outcome) -> str:
    plan = outcome.plan
    a = plan.arrangement
    programs = [
        (
            p.name,
            str(len(p.kernels)),
            f"{p.macs:,}",
            f"{p.transient_bytes:,} B",
            _seconds(plan, p.name),
            "-" if p.joules is None else f"{p.joules * 1e6:,.0f} µJ",
        )
        for p in a.programs.values()
    ]
    refused = f"<p><b>Asked for the full update with momentum:</b> {escape(str(outcome.refusal))}</p>"
    choices = "".join(f"<li><b>{escape(c.what)}</b>: {escape(c.why)}</li>" for c in plan.why)
    head = ("program", "kernels", "MACs", "transient", "time", "energy")
    return (
        refused
        + f"<ul>{choices}</ul><p>Learns {escape(', '.join(plan.updated))}: {format_bytes(plan.persistent_bytes)} with "
        f"momentum stays, {format_bytes(plan.transient_bytes)} passes; {format_bytes(a.memory.flash)} of flash.</p>"
        + draw.table(head, programs)
        + f'<p class="note">Time and energy are predicted for {escape(plan.device.name)} at batch '
        f"{a.programs['step'].instances[a.programs['step'].inputs['x']].spec.shape[0]}.</p>"
    )


def _seconds(plan: Plan, program: str) -> str:
    """The predicted time of a program on the device."""
    seconds = plan.arrangement.programs[program].seconds
    return "-" if seconds is None else f"{seconds * 1e3:,.0f} ms"
