"""The tables and the strips of all cases: printed, and into ``docs/attacks.md``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.written import ROOT, tables
from selvedge.artifact import files

from . import seen
from .experiment import COUNT, ROUNDS, TASKS
from .inversion import unpacked
from .strip import strip

DOCS = "docs/attacks.md"
PICTURES = ROOT / "docs" / "pictures"
TITLES = {
    "dense": "784-128-10: what rows of the first layer's gradient say",
    "conv": "two convolutions: what a search for pictures of the same gradient finds",
}
Cases = Sequence[Mapping[str, Any]]


def table(cases: Cases) -> str:
    parts = parted(cases)
    return "\n\n".join(f"{name}\n\n{text}" for name, text in parts.items())


def parted(cases: Cases) -> dict[str, str]:
    """Of each task that there is a case of, its table."""
    made = {}
    for task in TASKS:
        own = [case for case in cases if case["task"] == task]
        if own:
            shown = inverted(own) if task in COUNT else {"members": members, "updates": updates}[task](own)
            made[f"attacks-{task}"] = f"{shown}\n\n{_seeds(own)}."
    return made


def inverted(cases: Cases) -> str:
    lines = [
        "| what is seen | epsilon | correlation | ± | PSNR, dB | ± | SSIM | found | labels | mean image | a digit | "
        "equal counts |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for rows in _together(cases):
        first = rows[0]
        corr, psnr, ssim, found, labels = (
            np.concatenate([row[name] for row in rows]) for name in ("correlation", "psnr", "ssim", "found", "labels")
        )
        mean, digit, equal = (
            np.mean(np.concatenate([row["dummies"][name] for row in rows])) for name in ("mean", "digit", "labels")
        )
        lines.append(
            f"| {first['seen']} | {_epsilon(first)} | {corr.mean():.2f} | {corr.std(ddof=1):.2f} | {psnr.mean():.1f} | "
            f"{psnr.std(ddof=1):.1f} | {ssim.mean():.2f} | {100 * found.mean():.0f} % | {100 * labels.mean():.0f} % | "
            f"{mean:.2f} | {digit:.2f} | {100 * equal:.0f} % |"
        )
    return "\n".join(lines)


def members(cases: Cases) -> str:
    lines = [
        "| noise | epsilon | right, learnt | right, others | loss: area | at 1 % | shadows: area | ± | at 1 % | ± |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for rows in _together(cases):
        loss, shadows = (np.array([row[way] for row in rows]) for way in ("loss", "shadows"))
        train, test = (100 * np.mean([row[name] for row in rows]) for name in ("train", "test"))
        lines.append(
            f"| {_noise(rows[0])} | {_epsilon(rows[0], ROUNDS)} | {train:.1f} % | {test:.1f} % | "
            f"{loss[:, 0].mean():.2f} | {100 * loss[:, 1].mean():.1f} % | {shadows[:, 0].mean():.2f} | "
            f"{_deviation(shadows[:, 0], 2)} | {100 * shadows[:, 1].mean():.1f} % | "
            f"{_deviation(100 * shadows[:, 1], 1)} |"
        )
    return "\n".join(lines)


def updates(cases: Cases) -> str:
    lines = [
        "| after rounds | devices in the sum | noise | epsilon | area | ± | found at 1 % | ± |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for rows in _together(cases):
        first, (area, found) = rows[0], np.array([row["change"] for row in rows]).T
        lines.append(
            f"| {first['round']} | {first['devices']} | {_noise(first)} | {_epsilon(first)} | {area.mean():.2f} | "
            f"{_deviation(area, 2)} | {100 * found.mean():.1f} % | {_deviation(100 * found, 1)} |"
        )
    return "\n".join(lines)


def picture(case: Mapping[str, Any]) -> str:
    """The strips of one case, an SVG: a first row of who is attacked, and a guess below each."""
    rows = [row for row in case["rows"] if "pictures" in row]
    shown = [("who is attacked", "a sum has others too", [unpacked(near) for near, _ in rows[0]["pictures"]])]
    for row in rows:
        epsilon = _epsilon(row)
        like = f"correlation {np.mean(row['correlation']):.2f}" + (f", epsilon {epsilon}" if epsilon else "")
        shown.append((row["seen"], like, [unpacked(guess) for _, guess in row["pictures"]]))
    return strip(TITLES[case["task"]], shown)


def read(folder: Path) -> list[dict[str, Any]]:
    """Every case that is kept, in order."""
    found = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    return sorted(found, key=lambda case: (TASKS.index(case["task"]), case["seed"]))


def write(folder: Path) -> None:
    """All that lies in ``folder``, into the page and its pictures."""
    cases = read(folder)
    for name, text in drawn(cases).items():
        files.write(PICTURES / name, text.encode())
    tables(ROOT / DOCS, parted(cases))


def drawn(cases: Cases) -> dict[str, str]:
    """The pictures, by the names of their files."""
    return {f"attacks-{c['task']}.svg": picture(c) for c in cases if any("pictures" in row for row in c["rows"])}


def _together(cases: Cases) -> list[tuple[Any, ...]]:
    """The same row of every case. Raises ``ValueError`` where they are of other rows."""
    return list(zip(*(case["rows"] for case in cases), strict=True))


def _noise(row: Mapping[str, Any]) -> str:
    return "none" if row["noise"] is None else f"{row['noise']:g}"


def _epsilon(row: Mapping[str, Any], rounds: int = 1) -> str:
    """Of ``rounds`` with the noise of ``row``; nothing where there is none, which is no protection of this kind."""
    if row["noise"] is None:
        return ""
    value = seen.epsilon(row["noise"], rounds)
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _deviation(values: Any, digits: int) -> str:
    return "" if len(values) < 2 else f"{np.std(values, ddof=1):.{digits}f}"


def _seeds(cases: Cases) -> str:
    many = f"{len(cases)} seed{'' if len(cases) == 1 else 's'}"
    task = cases[0]["task"]
    if task not in COUNT:
        return f"{many}; ± is the standard deviation between them"
    victims = sum(len(case["rows"][0]["correlation"]) for case in cases)
    return f"{many}, {victims} victims or sums a row; ± is the standard deviation between those"
