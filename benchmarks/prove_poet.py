"""POET's case under its budgets: planned within a minute, executed, and the state as without."""

from __future__ import annotations

from typing import Any

from . import poet


def prove() -> dict[str, Any]:
    """The rows of the table, and the table itself as text.

    Raises ``AssertionError`` unless every plan took less than a minute and keeps its budget, its pages are the bytes
    that the kernel counted, and what is learnt differs from the plain plan's by rounding at most.
    """
    rows = []
    for row in poet.run():
        print(poet.line(row), flush=True)
        rows.append(row)
    wrong = poet.slower(rows)
    assert not wrong, wrong[0]
    for net, device in {(r["net"], r["device"]) for r in rows}:
        kept = [r for r in rows if (r["net"], r["device"]) == (net, device) and "transient" in r]
        assert kept, f"{net} on {device}: no budget is kept"
    assert any(r.get("paged_out") for r in rows), "nothing was paged"
    return {"rows": rows, "table": poet.table(rows).splitlines()}
