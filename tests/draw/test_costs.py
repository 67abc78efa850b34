"""The cost bars add up to the plan's own figures."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from selvedge.device.cost import seconds
from selvedge.draw import costs
from selvedge.draw.costs import seconds_text
from selvedge.planning.program import works

from .plans import BOARD, PLANS, planned


def rows(page: str) -> list[tuple[str, list[str]]]:
    """(label, figures) from the top."""
    return [
        (label, re.findall(r"<b>([^<]*)</b>", cells))
        for label, cells in re.findall(r'<div class="row[^"]*"><span class="label">([^<]*)</span>(.*?)</div>', page)
    ]


def number(text: str) -> int:
    return int(text.replace(",", ""))


@pytest.mark.parametrize("name", PLANS)
def test_the_rows_add_up_to_the_program(name: str) -> None:
    a = planned(name).arrangement
    for p in a.programs.values():
        (label, whole), *parts = rows(costs(a, p.name))
        assert label == f"all {len(p.kernels)} kernels"
        assert [number(w) for w in whole] == [p.macs, p.bytes_moved]
        assert [sum(number(c[i]) for _, c in parts) for i in range(2)] == [p.macs, p.bytes_moved]
        assert len(parts) <= 17


def test_many_layers_end_in_one_row() -> None:
    a = planned("mobilenet_v2").arrangement
    assert re.fullmatch(r"\d+ others", rows(costs(a))[-1][0])
    assert len(rows(costs(a, most=5))) == 7


def test_time_is_the_devices_own_model_and_absent_where_it_has_no_rates() -> None:
    a = planned("resnet8").arrangement
    p = a.programs["step"]
    page = costs(a, device=BOARD)
    assert "time" in page
    assert all(len(cells) == 3 for _, cells in rows(page))
    whole = seconds(BOARD, works(p.kernels.values(), p.instances, BOARD, a.memory.persistent + p.transient_bytes))
    assert whole is not None
    assert rows(page)[0][1][2] == seconds_text(whole)
    assert "time" not in costs(a)


def test_the_standalone_svg_is_a_document() -> None:
    root = ET.fromstring(costs(planned("mobilenet_v2").arrangement, device=BOARD, svg=True))
    texts = [t.text for t in root.iter("{http://www.w3.org/2000/svg}text")]
    assert f"{planned('mobilenet_v2').arrangement.programs['step'].macs:,}" in texts
