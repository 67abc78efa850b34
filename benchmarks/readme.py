"""A table's place in the README: between its markers, and nowhere else."""

from __future__ import annotations

from typing import Any

from . import compared, memory, peer_memory, planning, steps
from .environment import caption
from .int8 import table as int8

TABLES = {"memory": memory, "peers": peer_memory, "planning": planning, "steps": steps, "int8": int8,
          "compared": compared}  # fmt: skip
SHOWN = {"int8": ("ai-edge-litert", "onnxruntime")}  # packages that a caption names, where they are not torch's


def rendered(name: str, result: dict[str, Any]) -> str:
    """What stands between the markers of ``name``, from what its JSON holds."""
    about = result["about"]
    line = caption(about, SHOWN[name]) if name in SHOWN else caption(about)
    return f"{TABLES[name].table(result['rows'])}\n\n{line}"


def between(readme: str, name: str) -> str:
    """What stands there now. Raises ``ValueError`` where a marker is missing."""
    start, end = (f"<!-- {slash}bench:{name} -->" for slash in ("", "/"))
    return readme[readme.index(start) + len(start) : readme.index(end)].strip("\n")


def replaced(readme: str, name: str, text: str) -> str:
    """``readme`` with ``text`` there."""
    start, end = (f"<!-- {slash}bench:{name} -->" for slash in ("", "/"))
    before, after = readme.index(start) + len(start), readme.index(end)
    return f"{readme[:before]}\n{text}\n{readme[after:]}"
