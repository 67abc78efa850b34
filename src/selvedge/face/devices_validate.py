"""A user's profile, judged: all that is refused in it, or all that is doubtful."""

from __future__ import annotations

import json
from pathlib import Path

from ..device import Device, profile
from ..device.check import Doubt, absent, doubts, problems, unsourced

NAMED = 3  # figures in a line


def report(file: Path, as_json: bool) -> tuple[list[str], bool]:
    """(lines to print, whether the profile is refused). Raises ``InvalidInput`` for a file that is no TOML."""
    table = profile.read(file)
    refused = problems(table)
    device = None if refused else Device.load(file)
    doubtful, unsure, without = ([], [], []) if device is None else (doubts(device), unsourced(device), absent(device))
    if as_json:
        data = {
            "file": str(file),
            "problems": [{"field": p.field, "value": str(p.value), "fix": p.fix} for p in refused],
            "doubts": [_plain(doubt) for doubt in doubtful],
            "unsourced": [_plain(doubt) for doubt in unsure],
            "absent": without,
        }
        return [json.dumps(data, indent=1)], bool(refused)
    if refused:
        return [f"{file}: {p}" for p in refused], True
    lines = [f"warning: {d}" for d in doubtful]
    count = f"; {len(lines)} warning{'' if len(lines) == 1 else 's'}" if lines else ""
    lines.append(f"{file} is a sound profile{count}")
    if without:
        lines.append(f"what is absent is not planned: {'; '.join(without)}")
    if unsure:
        more = f" and {len(unsure) - NAMED} more" if len(unsure) > NAMED else ""
        names = ", ".join(doubt.field for doubt in unsure[:NAMED]) + more
        lines.append(
            f"no [[sources]] entry says where {names} come from: plans are the same, but nobody can check them"
        )
    return lines, False


def _plain(doubt: Doubt) -> dict[str, str]:
    return {"field": doubt.field, "value": str(doubt.value), "why": doubt.why}
