"""docs/zoo.md lists the zoo, and its figures are those of the modules."""

from __future__ import annotations

import re
from pathlib import Path

from selvedge import zoo
from tests.zoo.published import figures

PAGE = Path(__file__).parents[2] / "docs" / "zoo.md"


def test_the_page_lists_every_network_with_its_figures() -> None:
    found = {}
    for line in PAGE.read_text().splitlines():
        if line.startswith("| `"):
            name, source, shape, _, count, products = (cell.strip() for cell in line.strip("|").split("|"))
            found[name.strip("`")] = (source, shape, count, products)
    assert set(found) == set(zoo.names())
    for name, (source, shape, count, products) in found.items():
        row = zoo.entry(name)
        parameters, macs = figures(name)
        assert re.search(r"\((arXiv:[\d.]+)\)$", source)[1] == row.source
        assert shape == "x".join(map(str, row.input_shape))
        assert (count, products) == (f"{parameters:,}", f"{macs:,}"), name
