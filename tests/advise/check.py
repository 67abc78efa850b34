"""What is printed as arithmetic is worked out again, by Python's own parser: an expression, its result, its unit."""

from __future__ import annotations

import re
from math import isfinite

from selvedge.advising import Advice
from selvedge.advising.figure import Sum

UNITS = re.compile(r"(?<=[\d)]) (?:MAC/s|J/B|B/s|MAC|B|s|J|W)\b")


def worked_out(text: str) -> float:
    plain = UNITS.sub("", text).replace(",", "").replace(" x ", " * ").replace("infinite", "1e999")
    assert re.fullmatch(r"[\d.e+\-*/() ]*", plain), text
    return float(eval(plain))


def check_line(line: Sum) -> None:
    """Within what seven printed digits of each number lose."""
    if not isfinite(line.value):
        assert " / 0 " in f"{line.text} " or "infinite" in line.text, line
        return
    if not line.value:
        return
    found = worked_out(line.text)
    assert abs(found - line.value) <= 2e-6 * abs(line.value), f"{line}: worked out as {found}"


def check(advice: Advice) -> None:
    for way in (*advice.learnings, advice.cloud, *advice.splits):
        for line in way.sums:
            check_line(line)
