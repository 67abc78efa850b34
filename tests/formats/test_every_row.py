"""Every row of the op table has a row in each lowering table, or a reason why it has none."""

from __future__ import annotations

import pytest

from selvedge import ir
from selvedge.aten import table as aten_table
from selvedge.formats.relax import table as relax_table
from selvedge.ir.expansions import RULES

TABLES = {"aten": (aten_table.ROWS, aten_table.LACKS), "relax": (relax_table.ROWS, relax_table.LACKS)}


@pytest.mark.parametrize("target", TABLES)
def test_every_row_is_lowered_or_has_a_reason(target: str) -> None:
    rows, lacks = TABLES[target]
    known = {*rows, *RULES, *lacks, *ir.LEAVES}
    assert not set(ir.TABLE) - known, f"{target} lacks {sorted(set(ir.TABLE) - known)}"
    assert not set(rows) & set(lacks)
    assert not known - set(ir.TABLE) - set(ir.LEAVES), "rows of no op"
    assert all(why and fix for why, fix in lacks.values())
