"""Coverage of torch.nn: every module has an entry or a reason, and draws agree with autograd or are refused."""

from __future__ import annotations

import os

import pytest
import torch
from torch import nn

from benchmarks.coverage.__main__ import DRAWS
from benchmarks.coverage.draw import Entry
from benchmarks.coverage.page import ENTRIES, WITHOUT, Row
from benchmarks.coverage.run import drawn

BLOCKS = 8
SEEDS = range(DRAWS) if os.environ.get("SELVEDGE_FULL") == "1" else range(1)


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
    class Counting(nn.Module):
        """Another function at every call: what is captured is not what is asked."""

        calls = 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            return x * self.calls

    row, wrong = drawn(Entry("counting", lambda d: (Counting(), (d.x(3, 2),))), range(2))
    assert row == Row(0, 0)
    assert len(wrong) == 2
