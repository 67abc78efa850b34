"""docs/advise.md has every field, every radio and the example's scenario as they are; what the example says is read."""

from __future__ import annotations

import re
import tomllib
from dataclasses import MISSING, fields
from pathlib import Path

import pytest

from selvedge.advising import RADIOS, Scenario, read_costs
from selvedge.advising.figure import number
from selvedge.advising.quantity import kinds
from selvedge.advising.scenario import SECTIONS
from selvedge.face.advice import order

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "advise.md").read_text()
OWNERS = [(f"{name}.", kind) for name, kind in SECTIONS.items()] + [("", Scenario)]


@pytest.mark.parametrize(("prefix", "owner"), OWNERS, ids=[kind.__name__ for _, kind in OWNERS])
def test_every_field_stands_on_the_page_with_its_default_and_source(prefix: str, owner: type) -> None:
    rows = dict(re.findall(r"^\| `([\w.]+)` \| (.*) \|$", PAGE, re.MULTILINE))
    for field in fields(owner):
        kind = kinds(owner).get(field.name)
        if kind is None:
            continue
        row = rows[prefix + field.name]
        assert kind.says in row
        assert kind.source in row
        default = field.default
        if default is MISSING:
            assert "**required**" in row
        elif default is not None and not isinstance(default, bool | str):
            assert f"| {number(default)}" in row


@pytest.mark.parametrize("name", RADIOS)
def test_every_radio_stands_on_the_page(name: str) -> None:
    radio = RADIOS[name]
    row = re.search(rf"^\| `{name}` \|.*$", PAGE, re.MULTILINE)
    assert row is not None
    for figure in (radio.up_j_per_byte, radio.down_j_per_byte, radio.up_w, radio.down_w, radio.message_j):
        assert f"| {figure:.4g} |" in row[0]
    assert radio.source in row[0]
    assert ("*transcribed*" in row[0]) != radio.checked


def test_the_example_is_that_of_the_page_and_is_read() -> None:
    example = ROOT / "examples" / "camera_trap.toml"
    blocks = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert blocks[0] == example.read_text()
    asked = order(str(example), None, {}, {}, [], 0, None)
    assert asked.beside["model"] == "zoo:resnet8"
    assert asked.scenario.privacy.raw_may_leave is False
    # 20 cm2 x 3 kWh/m2 x 0.2 x 0.75 is 0.9 Wh.
    assert asked.scenario.wants.joules_per_day == pytest.approx(3240)
    given = read_costs(tomllib.loads(blocks[1])["costs"], "net", "board", None, None)
    assert (given.run.macs, given.cuts[0].elements, given.ram_bytes) == (10e6, 512, 262_144)
    assert given.step is not None
    assert given.step.update_bytes == 50_000
