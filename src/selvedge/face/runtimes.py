"""The targets as a table."""

from __future__ import annotations

import json

from ..artifact.targets import ABILITIES, TARGETS, Target


def listing(as_json: bool) -> str:
    """A line a target: what we write for it, what is installed of it here, and how the rest is."""
    if as_json:
        return json.dumps([t.to_dict() for t in TARGETS.values()], indent=1)
    width = max(map(len, TARGETS)) + 2
    lines = [f"{'target':<{width}}{'float':<7}{'int8':<7}{'train':<7}here"]
    for t in TARGETS.values():
        able = "".join(f"{'yes' if a in t.able else '-':<7}" for a in ABILITIES)
        lines.append(f"{t.name:<{width}}{able}{_here(t)}")
        lines.append(f"{'':<{width}}{t.what}")
    return "\n".join([*lines, "", "next: selvedge emit MODEL --target NAME --out FOLDER"])


def _here(t: Target) -> str:
    """Versions where all is installed; else what is not, and the line for it."""
    if t.ready:
        return ", ".join(f"{p.name} {p.installed}" for p in t.packages) or "nothing to install"
    lacks = ", ".join(f"{p.name} {p.lack}" for p in t.packages if p.lack is not None)
    return f"{lacks}: {t.install}"
