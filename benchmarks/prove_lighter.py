"""A full step in passing, lighter, against the plain one: bytes as planned and as measured; time as both."""

from __future__ import annotations

from typing import Any

from . import memory

MOST = {"mobilenet_v2": 0.50, "resnet8": 0.70}  # of the plain step's bytes in passing
SLOWDOWN = 1.35


def prove() -> dict[str, Any]:
    """A row a model and treatment of norms.

    Raises ``AssertionError`` unless each keeps its share of the bytes within the planned time, measures what it plans,
    and lies within 2 % of the bound of its order.
    """
    return {"rows": [row(spec, norms) for spec in MOST for norms in memory.NORMS]}


def row(spec: str, norms: str) -> dict[str, Any]:
    """Raises as :func:`prove`."""
    found = memory.row(spec, norms)
    wrong = memory.slower([found])
    assert not wrong, wrong[0]
    full, light = found["full"], found["full_least"]
    made = light["transient"] / full["transient"]
    assert made <= MOST[spec], f"{spec}, {norms}: {made:.3f} of the bytes in passing"
    assert found["slowdown_planned"] <= SLOWDOWN, f"{spec}, {norms}: {found['slowdown_planned']:.2f} x the time"
    return {
        "model": spec,
        "norms": norms,
        "plain_transient": full["transient"],
        "transient": light["transient"],
        "share": round(made, 3),
        "slowdown_planned": round(found["slowdown_planned"], 3),
        "slowdown_measured": {k: round(v, 3) for k, v in found["slowdown"].items()},
        "seconds_to_plan": [full["seconds_to_plan"], light["seconds_to_plan"]],
    }
