"""What a training chose by itself, and why, in one line: update, batch, and what was given for bytes."""

from __future__ import annotations

import textwrap

from ..errors import one_line
from ..make.plan import Plan

WIDTH = 110
# What a choice of a trade begins with.
TRADES = ("masks", "int8 activations", "streaming", "channels", "recompute", "paging")


def chosen(plan: Plan, update: str, batch: int | None) -> str:
    """``update``, ``batch``: as asked for; "auto" and None leave them open."""
    given = [c.what for c in plan.why if c.what.startswith(TRADES)]
    trade = f"; for bytes of RAM: {', '.join(given)}" if given else ""
    return one_line(f"chosen: update {_update(plan, update)}; batch {plan.batch}, {_batch(plan, update, batch)}{trade}")


def wrapped(text: str) -> list[str]:
    """``text`` below a heading: the names of many tensors may be long."""
    return textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="    ")


def _update(plan: Plan, asked: str) -> str:
    """With the last word of the search, where there was one."""
    found = [c.why for c in plan.arrangement.choices if c.what == "chosen"]
    return found[-1] if asked == "auto" and found else f"{plan.update}, as asked"


def _batch(plan: Plan, update: str, asked: int | None) -> str:
    if asked is not None:
        return "as asked"
    if update != "auto":
        return "the largest tried that fits"
    return "the largest with which everything learns" if plan.update == "full" else "with which most learns"
