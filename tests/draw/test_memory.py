"""The memory timeline is the plan's own offsets and sizes, and its lives add up to the plan's bound."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import selvedge as sv
from selvedge import draw
from selvedge.draw.lives import Life, live_bytes, lives, peak, phases
from selvedge.draw.memory import timeline
from selvedge.planning.kernel import ARENA, STATE
from selvedge.planning.schedule import Arrangement, Program
from tests.models import RandomModel, random_models

from .plans import BOARD, PLANS, planned

SVG = "{http://www.w3.org/2000/svg}"


class Rectangles(HTMLParser):
    """The attributes of every ``<rect>``, by class."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.buffers: list[dict[str, str]] = []
        self.slots: list[dict[str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        kind = found.get("class", "").split()
        if tag == "rect" and "buffer" in kind:
            self.buffers.append(found)
        elif tag == "rect" and "slot" in kind:
            self.slots.append(found)


def assert_drawn(a: Arrangement, p: Program) -> None:
    """One rectangle an arena instance, at its offset and size; one a state slot; the geometry says the same."""
    shown = Rectangles(draw.memory(a, p.name))
    arena = {i for i, instance in p.instances.items() if instance.region == ARENA}
    assert {int(b["data-instance"]) for b in shown.buffers} == arena
    assert len(shown.buffers) == len(arena)
    for b in shown.buffers:
        i = int(b["data-instance"])
        assert (int(b["data-offset"]), int(b["data-bytes"])) == (p.offsets[i], p.sizes[i])
        assert b["data-name"] == p.instances[i].label
    state = {n: (s.offset, s.bytes) for n, s in a.slots.items() if s.region == STATE}
    assert {s["data-name"]: (int(s["data-offset"]), int(s["data-bytes"])) for s in shown.slots} == state

    # Read back from the picture: y is affine in the offset above the persistent bytes, x in the kernel's position.
    scale = [(float(b["height"]), int(b["data-bytes"])) for b in shown.buffers]
    tallest, most = max(scale, key=lambda s: s[1])
    assert all(h == pytest.approx(tallest * n / most, abs=2e-4) for h, n in scale)
    foot = [float(b["y"]) + float(b["height"]) + tallest * int(b["data-offset"]) / most for b in shown.buffers]
    assert max(foot) - min(foot) <= 1e-3 + 1e-4 * max(p.offsets[i] for i in arena) / most
    column = 1000 / (len(p.order()) + 2)
    for b in shown.buffers:
        start, stop = int(b["data-start"]), int(b["data-stop"])
        assert float(b["x"]) == pytest.approx(column * (start + 1), abs=1e-3)
        assert float(b["width"]) == pytest.approx(column * (stop - start + 1), abs=1e-3)


def assert_lives_are_the_plans(p: Program) -> None:
    """No two buffers overlap, every kernel finds its operands alive, and the peak is the planner's own bound."""
    found = lives(p)
    most = max(life.offset + life.bytes for life in found)
    owner = np.zeros((len(p.order()) + 2, most), np.int8)
    for life in found:
        assert life.start <= life.stop
        area = owner[life.start + 1 : life.stop + 2, life.offset : life.offset + life.bytes]
        assert not area.any(), life
        area[...] = 1
    assert max(live_bytes(p, found)) == p.bound_bytes == peak(p).bytes
    by = {life.instance: life for life in found}
    assert all(by[i].start == -1 and by[i].maker is None for i in p.inputs.values())
    assert all(by[i].stop == len(p.order()) for i in p.outputs.values() if i in by)
    for position, kernel in enumerate(p.kernels[k] for k in p.order()):
        for i in (*kernel.writes, *([kernel.scratch] if kernel.scratch is not None else [])):
            if i in by:
                assert by[i].start == position
        for i in kernel.reads:
            if i in by:
                taken = any(_overlap(by[w], by[i]) for w in kernel.writes if w in by)
                assert by[i].stop >= position or (by[i].stop == position - 1 and taken)


def _overlap(a: Life, b: Life) -> bool:
    return a.offset < b.offset + b.bytes and b.offset < a.offset + a.bytes


@pytest.mark.parametrize("program", ["predict", "evaluate", "step"])
@pytest.mark.parametrize("name", ["resnet8", "ds_cnn", "autoencoder"])
def test_every_buffer_is_drawn_where_the_plan_has_it(name: str, program: str) -> None:
    a = planned(name).arrangement
    assert_drawn(a, a.programs[program])
    assert_lives_are_the_plans(a.programs[program])


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(random_models())
def test_random_plans_are_drawn_where_they_are(made: RandomModel) -> None:
    plan = sv.plan(made.model, made.x, device=BOARD)
    for p in plan.arrangement.programs.values():
        assert_drawn(plan.arrangement, p)
        assert_lives_are_the_plans(p)


def test_the_phases_are_what_they_are_called() -> None:
    p = planned("resnet8").arrangement.programs["step"]
    phase, order = phases(p), p.order()
    kind = {phase[k]: {p.kernels[x].family for x in order if phase[x] == phase[k]} for k in order}
    assert "cross_entropy" in kind["forward"]
    assert not any("grad" in family for family in kind["forward"])
    assert {"conv2d_input_grad_onto", "cross_entropy_grad"} & kind["backward"]
    assert "conv2d_weight_grad" in kind["update"]
    assert set(phases(planned("resnet8").arrangement.programs["predict"]).values()) == {"forward"}


@pytest.mark.parametrize("budget", [None, 12 << 20, 1 << 40])
def test_budget_and_bound_are_lines_at_their_bytes(budget: int | None) -> None:
    a = planned("mobilenet_v2").arrangement
    chart = timeline(a, a.programs["step"], budget)
    keys = {k.label: k.value for k in chart.legend}
    assert keys["lower bound"] == f"{a.memory.bound:,} B"
    heights = {v.colour: v.at for v in chart.levels}
    top = max(b.top for b in chart.boxes)
    assert heights["c"] == pytest.approx(top)  # this plan meets its bound
    if budget == 12 << 20:
        assert heights["c"] < heights["limit"] < 1
        assert keys["budget"] == "12,582,912 B"
    else:
        assert "limit" not in heights
        assert keys.get("budget") == (None if budget is None else "1,099,511,627,776 B, far above")


def test_the_note_names_what_holds_the_peak() -> None:
    a = planned("resnet8").arrangement
    p = a.programs["step"]
    most = peak(p)
    page = draw.memory(a)
    assert f"Most is live at kernel {most.position + 1}" in page
    assert f"{a.memory.persistent + most.bytes:,} B" in page
    sizes = [life.bytes for life in most.held]
    assert sizes == sorted(sizes, reverse=True)
    assert f"1: {most.held[0].name}" in page


@pytest.mark.parametrize("name", PLANS)
def test_the_standalone_svg_is_a_document_with_the_same_rectangles(name: str) -> None:
    a = planned(name).arrangement
    root = ET.fromstring(draw.memory(a, budget=planned(name).budget.ram, svg=True))
    assert root.tag == f"{SVG}svg"
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    drawn = [r for r in root.iter(f"{SVG}rect") if r.attrib.get("class", "").startswith("buffer")]
    assert len(drawn) == len(lives(a.programs["step"]))
    for r in drawn:
        assert r.find(f"{SVG}title").text.startswith(r.attrib["data-name"])
        assert 0 <= float(r.attrib["x"]) <= float(r.attrib["x"]) + float(r.attrib["width"]) <= width
        assert 0 <= float(r.attrib["y"]) <= float(r.attrib["y"]) + float(r.attrib["height"]) <= height
