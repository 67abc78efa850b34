"""The table and the frontiers of all cases: printed, and into ``docs/federated-figures.md``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.written import ROOT, tables
from selvedge.artifact import files
from selvedge.draw.scatter import Dot, scatter

from .experiment import summary
from .tasks import TASKS
from .ways import WAYS

DOCS = "docs/federated-figures.md"
PICTURES = ROOT / "docs" / "pictures"
FEW, MOST_LOST, FEWEST_TIMES = "FedAvg, few bytes", 0.01, 64
WIDTHS_LOSE = 0.02
FLOWER = "FedAvg by Flower"
DRAWN = {
    "FedAvg": "a", FEW: "b", "FedProx": "c", "SCAFFOLD": "d", "FedAdam": "e", "FedYogi": "f",
}  # fmt: skip
Cases = Sequence[Mapping[str, Any]]


def table(cases: Cases) -> str:
    lines = [
        "| task | way | last | ± | chosen | own samples | beside FedAvg | ± | fewer bytes up | rounds | MB up | kJ |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    found = summary(cases)
    for task, ways in found.items():
        told = task
        for way, row in ways.items():
            seeds = f"{way} ({_seeds(row)})"
            if row["failed"]:
                lines.append(f"| {told} | {seeds} | failed: {row['failed']} | | | | | | | | | |")
            else:
                lines.append(f"| {told} | {seeds} | {_cells(row)} |")
            told = ""
    return "\n".join(lines) + "\n\n" + "\n".join(f"- {line}" for line in verdicts(found))


def _seeds(row: Mapping[str, Any]) -> str:
    return f"{row['seeds']} seed{'' if row['seeds'] == 1 else 's'}"


def _cells(row: Mapping[str, Any]) -> str:
    apart = "" if row["apart"] is None else f"{round(100 * row['apart'][0], 1) + 0.0:+.1f}"
    if row["never"] is None:
        spent = ["", "", ""]
    elif row["rounds"] is None:
        spent = ["never", "", ""]
    else:
        never = f" ({row['never']} never)" if row["never"] else ""
        spent = [f"{row['rounds']:.0f}{never}", f"{row['up'] / 1e6:.3g}", f"{row['joules'] / 1e3:.3g}"]
    fewer = "" if row["fewer"] is None else f"{row['fewer']:.3g}"
    last, mine = row["last"], row["mine"]
    own = "" if mine is None else f"{100 * mine[0]:.1f}"
    return " | ".join(
        [f"{100 * last[0]:.1f}", _deviation(last), f"{100 * row['chosen'][0]:.1f}", own, apart,
         _deviation(row["apart"]), fewer, *spent]
    )  # fmt: skip


def verdicts(found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What of the claims holds, task by task."""
    lines = []
    for task, ways in found.items():
        row = ways.get(FEW)
        if row and row["apart"]:
            kept = row["apart"][0] >= -MOST_LOST and row["fewer"] >= FEWEST_TIMES
            lines.append(
                f"{task}, few bytes, {_seeds(row)}: {100 * row['apart'][0]:+.1f} points beside FedAvg at "
                f"{row['fewer']:.1f} times fewer bytes up: "
                f"{'within' if kept else '**missed**: wanted are'} one point at {FEWEST_TIMES}"
            )
        for way in ("three widths, the first channels", "three widths, rolled"):
            row = ways.get(way)
            if row and row["apart"]:
                kept = row["apart"][0] >= -WIDTHS_LOSE
                lines.append(
                    f"{task}, {way}, {_seeds(row)}: {100 * row['apart'][0]:+.1f} points beside all whole: "
                    f"{'within' if kept else '**missed**: wanted are'} two points"
                )
        row = ways.get(FLOWER)
        if row and row.get("apart"):
            mean, spread = row["apart"]
            told = "" if spread is None else f" ± {100 * spread:.2f}"
            lines.append(
                f"{task}, {FLOWER}, {_seeds(row)}: {100 * mean + 0.0:+.2f}{told} points beside ours, "
                f"whose bytes up are {row['fewer']:.2f} of its"
            )
        row = ways.get("SCAFFOLD")
        if row and row["apart"] and task == "digits-0.1":
            mean, spread = row["apart"]
            told = "one seed tells no spread" if spread is None else f"paired spread {100 * spread:.1f}"
            kept = spread is not None and mean > spread
            lines.append(
                f"{task}, SCAFFOLD, {_seeds(row)}: {100 * mean:+.1f} points beside FedAvg, {told}: "
                f"{'outside' if kept else '**missed**: wanted is a gain outside'} the spread"
            )
        late = [
            f"{way} {100 * row['late'] + 0.0:+.1f}"
            for way, row in ways.items()
            if way in ("FedAvg", FEW, "SCAFFOLD") and row.get("late") is not None
        ]
        if late:
            lines.append(f"{task}, gained on validation samples in the last fifth of the rounds: {', '.join(late)}")
    return lines


def picture(cases: Cases, task: str) -> str:
    """Right of the test samples over the bytes that all devices sent: every evaluation of every way, of seed 0."""
    own = [c for c in cases if c["task"] == task and c["seed"] == 0 and c["way"] in DRAWN]
    dots = []
    for c in own:
        course = c["course"]
        for number, up, right in zip(course["rounds"], course["up"], course["test"], strict=True):
            says = f"{c['way']}, round {number}: {100 * right:.1f} % right, {up:,} B up"
            dots.append((up, right, c["way"], says))
    made = [
        Dot(up, right, way, says, all(r < right for u, r, _, _ in dots if u <= up and (u, r) != (up, right)))
        for up, right, way, says in dots
    ]
    groups = [(way, colour) for way, colour in DRAWN.items() if any(d.group == way for d in made)]
    return scatter(f"{task}: right, over bytes up", "right", made, groups, percent=True, svg=True, x_label="bytes up")


def read(folder: Path) -> list[dict[str, Any]]:
    """Every case that is kept, in order."""
    found = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    return sorted(found, key=lambda c: (list(TASKS).index(c["task"]), list(WAYS).index(c["way"]), c["seed"]))


def write(folder: Path) -> None:
    """All that lies in ``folder``, into the page and its pictures."""
    cases = read(folder)
    for task in dict.fromkeys(c["task"] for c in cases if "course" in c):
        files.write(PICTURES / f"federated-{task}.svg", picture(cases, task).encode())
    tables(ROOT / DOCS, {"federated": table(cases)})


def _deviation(value: tuple[float, float | None] | None) -> str:
    return "" if value is None or value[1] is None else f"{100 * value[1]:.1f}"
