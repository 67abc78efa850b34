"""A user's profile, judged: all that is refused in it, or all that is doubtful."""

from __future__ import annotations

import json
from pathlib import Path

from ..device import Device, profile
from ..device.check import doubts, problems


def report(file: Path, as_json: bool) -> tuple[list[str], bool]:
    """(lines to print, whether the profile is refused). Raises ``InvalidInput`` for a file that is no TOML."""
    table = profile.read(file)
    refused = problems(table)
    doubtful = [] if refused else doubts(Device.load(file))
    if as_json:
        data = {
            "file": str(file),
            "problems": [{"field": p.field, "value": str(p.value), "fix": p.fix} for p in refused],
            "doubts": [{"field": d.field, "value": str(d.value), "why": d.why} for d in doubtful],
        }
        return [json.dumps(data, indent=1)], bool(refused)
    if refused:
        return [f"{file}: {p}" for p in refused], True
    lines = [f"warning: {d}" for d in doubtful]
    return [*lines, f"{file} is a sound profile" + (f"; {len(lines)} warnings" if lines else "")], False
