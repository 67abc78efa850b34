"""The coverage table: what it says is what the entries are, and a draw of each agrees with autograd or is refused."""

from __future__ import annotations

import os
import re

import pytest
import torch
from torch import nn

from benchmarks.coverage.__main__ import DRAWS, PAGE
from benchmarks.coverage.draw import Entry
from benchmarks.coverage.page import ENTRIES, WITHOUT, Row, page
from benchmarks.coverage.run import drawn

BLOCKS = 8
SEEDS = range(DRAWS) if os.environ.get("SELVEDGE_FULL") == "1" else range(1)
LINE = re.compile(r"\| `([^`]+)` \| (\d+) \| (\d+|-) \| (.*) \|")


def _written() -> dict[str, Row]:
    found = (LINE.fullmatch(line) for line in PAGE.read_text().splitlines())
    return {
        m[1]: Row(int(m[2]), 0 if m[3] == "-" else int(m[3]), "" if m[4] == "-" else m[4])
        for m in found
        if m is not None
    }


def _draws(rows: dict[str, Row]) -> int:
    """Of each entry."""
    first = next(iter(rows.values()))
    return first.agreed + first.refused


def test_the_page_is_of_these_entries() -> None:
    rows = _written()
    assert list(rows) == [entry.name for entry in ENTRIES], "python -m benchmarks.coverage"
    assert PAGE.read_text() == page(rows, _draws(rows))


def test_the_page_keeps_its_promise() -> None:
    written = _written()
    rows, draws = written.values(), _draws(written)
    assert all(row.agreed + row.refused == draws for row in rows)
    assert sum(row.agreed > 0 for row in rows) >= 150
    assert sum(row.refused for row in rows) <= 0.1 * draws * len(rows)


def test_every_module_has_an_entry_or_a_reason() -> None:
    known = {entry.name for entry in ENTRIES} | {n for names in WITHOUT for n in names.split(", ")}
    layers = {
        f"nn.{name}"
        for name, kind in vars(nn).items()
        if isinstance(kind, type) and issubclass(kind, nn.Module) and not name.startswith("Lazy")
    }
    containers = {"Module", "Container", "Sequential", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict"}
    stacks = {"TransformerEncoder", "TransformerDecoder", "CrossMapLRN2d"}  # of entries; of another library
    old = {"NLLLoss2d", "RNNBase", "RNNCellBase"}  # other names, and what has no forward of its own
    assert layers - known == {f"nn.{n}" for n in containers | stacks | old}


@pytest.mark.parametrize("block", range(BLOCKS))
def test_draws_agree_or_are_refused(block: int) -> None:
    wrong = [line for entry in ENTRIES[block::BLOCKS] for line in drawn(entry, SEEDS)[1]]
    assert not wrong


def test_what_is_wrong_is_found() -> None:
    class Twofold(nn.Module):
        """Another function while it is exported: what is captured is not what is asked."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * (2 if torch.compiler.is_exporting() else 3)

    row, wrong = drawn(Entry("twofold", lambda d: (Twofold(), (d.x(3, 2),))), range(2))
    assert row == Row(0, 0)
    assert len(wrong) == 2
