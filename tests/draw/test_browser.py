"""The pictures in a browser: nothing fetched, nothing clipped, every buffer in its place, and named when touched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import selvedge as sv
from selvedge import draw
from selvedge.draw.lives import lives
from selvedge.make import show, surface

from .browser import WIDTHS, chromium, opened
from .plans import BOARD, PLANS, planned

pytestmark = pytest.mark.browser

BOXES = """[...document.querySelectorAll('rect.buffer')].map(r => {
    const b = r.getBoundingClientRect();
    return [b.left, b.top, b.right, b.bottom, +r.dataset.instance];
})"""
FRAME = """(() => { const b = document.querySelector('.sv-plot svg').getBoundingClientRect();
    return [b.left, b.top, b.right, b.bottom]; })()"""
SMALLEST = """Math.min(...[...document.querySelectorAll('body *')]
    .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) && e.getClientRects().length)
    .map(e => parseFloat(getComputedStyle(e).fontSize)))"""
# Texts that reach out of the window, and boxes that scroll to show theirs.
CLIPPED = """[...document.querySelectorAll('body *')].filter(e => e.getClientRects().length && !e.closest('svg')
    && (e.getBoundingClientRect().right > innerWidth + 0.5 || e.getBoundingClientRect().left < -0.5
        || (e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== 'inline')))
    .map(e => `${e.className || e.tagName}: ${e.textContent.slice(0, 40)}`)"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The plan's page of every plan."""
    folder = tmp_path_factory.mktemp("pages")
    for name in PLANS:
        (folder / f"{name}.html").write_text(show.page(planned(name)), encoding="utf-8")
    return {name: folder / f"{name}.html" for name in PLANS}


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PLANS)
def test_a_plans_page_fits_and_is_legible(browser: Any, pages: dict[str, Path], name: str, width: int) -> None:
    with opened(browser, pages[name], width) as page:
        assert page.read("document.documentElement.scrollWidth <= innerWidth")
        assert page.read(CLIPPED) == []
        assert page.read(SMALLEST) >= 11


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PLANS)
def test_every_buffer_is_one_rectangle_of_its_own_inside_the_plot(
    browser: Any, pages: dict[str, Path], name: str, width: int
) -> None:
    with opened(browser, pages[name], width) as page:
        left, top, right, bottom = page.read(FRAME)
        assert right - left > 0.75 * min(width, 830) - 40  # the plot has most of the width
        boxes = page.read(BOXES)
    program = planned(name).arrangement.programs["step"]
    assert sorted(b[4] for b in boxes) == sorted(life.instance for life in lives(program))
    at = np.array([b[:4] for b in boxes])
    assert (at[:, :2] >= [left - 0.5, top - 0.5]).all()
    assert (at[:, 2:] <= [right + 0.5, bottom + 0.5]).all()
    # Two rectangles overlap by no more than rounding: in x or in y.
    wide = np.minimum(at[:, None, 2], at[None, :, 2]) - np.maximum(at[:, None, 0], at[None, :, 0])
    high = np.minimum(at[:, None, 3], at[None, :, 3]) - np.maximum(at[:, None, 1], at[None, :, 1])
    both = np.minimum(wide, high)
    np.fill_diagonal(both, 0)
    assert both.max() < 0.01


def largest(name: str, page: Any) -> list[tuple[float, float, str, str]]:
    """(x, y, name, bytes) of the middles of the three largest rectangles that a finger can hit."""
    return page.read("""[...document.querySelectorAll('rect.buffer')].map(r => [r, r.getBoundingClientRect()])
        .sort((a, b) => b[1].width * b[1].height - a[1].width * a[1].height).slice(0, 3)
        .map(([r, b]) => [b.left + b.width / 2, b.top + b.height / 2, r.dataset.name, r.dataset.bytes])""")


@pytest.mark.parametrize("name", PLANS)
def test_hovering_names_the_buffer(browser: Any, pages: dict[str, Path], name: str) -> None:
    with opened(browser, pages[name], 1280) as page:
        page.read("document.querySelector('.sv-plot').scrollIntoView({block: 'center'})")
        for x, y, buffer, size in largest(name, page):
            page.page.mouse.move(x, y)
            says = page.page.locator("output").inner_text()
            assert f"{buffer} (" in says
            assert f"{int(size):,} B at " in says
            assert "kernel" in says.splitlines()[1]  # and the kernel under the pointer


@pytest.mark.parametrize("name", PLANS)
def test_tapping_names_the_buffer(browser: Any, pages: dict[str, Path], name: str) -> None:
    with opened(browser, pages[name], 390, touch=True) as page:
        page.read("document.querySelector('.sv-plot').scrollIntoView({block: 'center'})")
        for x, y, buffer, size in largest(name, page):
            page.page.touchscreen.tap(x, y)
            says = page.page.locator("output").inner_text()
            assert says.startswith(f"{buffer} (")
            assert f"{int(size):,} B at " in says


def test_the_arrow_keys_reach_every_buffer(browser: Any, pages: dict[str, Path]) -> None:
    program = planned("resnet8").arrangement.programs["step"]
    slots = sum(s.region == "state" for s in planned("resnet8").arrangement.slots.values())
    with opened(browser, pages["resnet8"], 390) as page:
        page.page.locator(".sv-plot svg").focus()
        seen = set()
        for _ in range(len(lives(program)) + slots):
            page.page.keyboard.press("ArrowRight")
            seen.add(page.page.locator("output").inner_text())
    assert len(seen) == len(lives(program)) + slots
    for life in lives(program):
        assert any(s.startswith(f"{life.name} (") and f"{life.bytes:,} B at {life.offset:,}" in s for s in seen)


def test_dark_is_dark_and_light_is_light(browser: Any, pages: dict[str, Path]) -> None:
    ground = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)"
    ink = ground.replace("backgroundColor", "color")
    shades = {}
    for scheme in ("light", "dark"):
        with opened(browser, pages["resnet8"], 390, scheme=scheme) as page:
            shades[scheme] = (sum(page.read(ground)), sum(page.read(ink)))
    assert shades["light"][0] > 600 > 200 > shades["light"][1]
    assert shades["dark"][0] < 200 < 600 < shades["dark"][1]


def test_in_a_notebook_two_pictures_answer_each_for_itself(browser: Any, tmp_path: Path) -> None:
    """Two outputs in one document, as cells put them there, and the host's own style untouched."""
    file = tmp_path / "notebook.html"
    cells = "".join(planned(n)._repr_html_() for n in ("resnet8", "ds_cnn"))
    style = "<style>p { color: rgb(1, 2, 3) }</style>"
    file.write_text(f'<!doctype html><meta charset="utf-8">{style}<p id=own>a</p>{cells}', encoding="utf-8")
    with opened(browser, file, 1280) as page:
        assert page.read("getComputedStyle(document.querySelector('#own')).color") == "rgb(1, 2, 3)"
        first, second = page.page.locator("output").all()
        before = first.inner_text()
        page.page.locator(".sv-plot svg").nth(1).hover()
        assert first.inner_text() == before
        assert second.inner_text() != before


def test_a_session_draws_its_losses(browser: Any, tmp_path: Path) -> None:
    session = sv.compile(planned("ds_cnn"))
    assert "no step yet" in session._repr_html_()
    rng = np.random.default_rng(0)
    x = rng.standard_normal(tuple(planned("ds_cnn").captured.graph.inputs["x"].shape), np.float32)
    port = session.manifest.programs["step"].inputs["x"]
    x = x.reshape(port.layout.face if port.layout else port.shape)
    found = [session.step(x, np.array([i % 3])) for i in range(60)]
    assert [loss for _, loss in session.losses] == found
    file = tmp_path / "session.html"
    file.write_text(f'<!doctype html><meta charset="utf-8">{session._repr_html_()}', encoding="utf-8")
    with opened(browser, file, 390) as page:
        assert page.read("document.documentElement.scrollWidth <= innerWidth")
        assert page.read("document.querySelectorAll('polyline').length") == 2
        assert f"{found[-1]:.4g}" in page.page.locator(".sv-legend").inner_text()


@pytest.mark.parametrize("width", WIDTHS)
def test_a_page_of_everything_fits(browser: Any, tmp_path: Path, width: int) -> None:
    """Long words, large and tiny numbers, a wide table: the page stays as wide as the window."""
    file = tmp_path / "page.html"
    lines = [
        draw.Line("a line with quite a long label, as users write them", "a", [(i, 10.0**-i) for i in range(9)]),
        draw.Line("another", "b", [(0, 1e-9), (1_000_000, 0.5)], dashed=True),
    ]
    a = planned("resnet8").arrangement
    parts = [
        draw.curves("t", "steps", "loss", lines),
        draw.curves("t", "steps", "accuracy", [draw.Line("l", "c", [(0, 0.1), (1, 0.9)])], percent=True),
        draw.costs(a, "step", device=BOARD),
        draw.memory(a, "predict"),
        draw.table(["name", *"abcdefgh"], [["row", *["123,456,789"] * 8]]),
        draw.tiles([("11,137,192 B", "promised"), ("1.37 ms", "a step")]),
    ]
    page_of_all = draw.page("W" * 80, parts, subtitle="a_very_long_name_without_any_space_in_it" * 4)
    file.write_text(page_of_all, encoding="utf-8")
    with opened(browser, file, width) as page:
        assert page.read("document.documentElement.scrollWidth <= innerWidth")
        assert page.read(SMALLEST) >= 11
        assert page.read(CLIPPED.replace("!e.closest('svg')", "!e.closest('svg, .wide')")) == []  # a table scrolls


@pytest.fixture(scope="module")
def swept() -> sv.Sweep:
    rates = {"throughput": {"float32": 1e8}, "bandwidth": {"ram": 1e8}, "energy": {"static_w": 0.01}}
    board = sv.Device(name="board", ram="24KiB", flash="1MiB", **rates)
    layers = [m for _ in range(3) for m in (nn.Conv2d(2, 2, 3, padding=1), nn.Tanh())]
    net = nn.Sequential(*layers, nn.Flatten(), nn.Linear(288, 4))
    return sv.sweep(
        net, torch.zeros(1, 2, 12, 12), device=board, batches=[1, 2], optimizers=[sv.SGD(0.1), sv.Adam(0.1)]
    )


@pytest.mark.parametrize("width", WIDTHS)
def test_a_sweeps_page_names_every_point(browser: Any, tmp_path: Path, swept: sv.Sweep, width: int) -> None:
    file = tmp_path / "sweep.html"
    file.write_text(surface.page(swept), encoding="utf-8")
    with opened(browser, file, width) as page:
        assert page.read("document.documentElement.scrollWidth <= innerWidth")
        assert page.read(SMALLEST) >= 11
        assert page.read(CLIPPED.replace("!e.closest('svg')", "!e.closest('svg, .wide')")) == []
        assert page.read("document.querySelectorAll('.sv-plot').length") == 3
        assert page.read("document.querySelector('.sv-plot').querySelectorAll('rect').length") == len(swept.points)
        left, top, right, bottom = page.read(FRAME)
        at = np.array(page.read(BOXES.replace("rect.buffer", "rect.point")))
        first = at[: len(swept.points), :4]
        assert (first[:, :2] >= [left - 0.5, top - 0.5]).all()
        assert (first[:, 2:] <= [right + 0.5, bottom + 0.5]).all()
        assert (first[:, 2:] - first[:, :2]).min() >= 3  # a pointer can hit it
        page.page.locator(".sv-plot svg").first.focus()
        seen = set()
        for _ in range(len(swept.points)):
            page.page.keyboard.press("ArrowRight")
            seen.add(page.page.locator("output").first.inner_text())
        for p in swept.points:
            assert any(s.startswith(f"{p.name}: {p.arena_bytes:,} B of RAM") for s in seen), p.name


def test_pointing_at_a_point_of_a_sweep_names_it(browser: Any, tmp_path: Path, swept: sv.Sweep) -> None:
    file = tmp_path / "sweep.html"
    file.write_text(surface.page(swept), encoding="utf-8")
    with opened(browser, file, 1280) as page:
        page.read("document.querySelector('.sv-plot').scrollIntoView({block: 'center'})")
        # The one that is drawn last lies on top of all others.
        x, y, says = page.read("""[...document.querySelector('.sv-plot').querySelectorAll('rect')].slice(-1)
            .map(r => [r.getBoundingClientRect(), r.querySelector('title').textContent])
            .map(([b, t]) => [b.left + b.width / 2, b.top + b.height / 2, t])[0]""")
        page.page.mouse.move(x, y)
        assert page.page.locator("output").first.inner_text() == says


def test_the_standalone_pictures_open_alone(browser: Any, tmp_path: Path, swept: sv.Sweep) -> None:
    """As an image in another page, which is how a README shows them: decoded, and as large as it says."""
    plan = planned("mobilenet_v2")
    costs = draw.costs(plan.arrangement, device=BOARD, svg=True)
    made = {"memory": show.picture(plan), "costs": costs, "sweep": surface.picture(swept)}
    for name, text in made.items():
        (tmp_path / f"{name}.svg").write_text(text, encoding="utf-8")
        with opened(browser, tmp_path / f"{name}.svg", 1280) as page:
            texts = """[...document.querySelectorAll('text')].map(t => [parseFloat(getComputedStyle(t).fontSize),
                t.getBoundingClientRect().left, t.getBoundingClientRect().right])"""
            found = np.array(page.read(texts))
            assert found[:, 0].min() >= 11
            assert found[:, 1].min() >= 0
            assert found[:, 2].max() <= 960
        file = tmp_path / f"{name}.html"
        data = f"<!doctype html><img src='data:image/svg+xml;utf8,{text.replace('#', '%23').replace(chr(39), '%27')}'>"
        file.write_text(data, encoding="utf-8")
        with opened(browser, file, 1280) as page:
            assert page.read("document.images[0].decode().then(() => document.images[0].naturalWidth)") == 960
