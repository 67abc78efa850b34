"""The tables of all cases, for people: printed, and between markers of ``docs/prune.md`` and ``docs/distil.md``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.written import ROOT, tables

from .experiment import ALONE, BARS, ITSELF, KINDS, PAIRS, TAUGHT, best_pair, judged, judged_bar, summary
from .tasks import TASKS

SAME = [pair for pair in PAIRS if pair.startswith("-")]  # pairs of as many multiplications as all three have
Cases = Sequence[Mapping[str, Any]]


def compressed(cases: Cases) -> str:
    """What is lost to the unpruned float network, and what all three together have over pairs."""
    made = summary(cases, "cut")
    lines = [
        "| task | way | MACs | bytes | chosen epoch | lost | 95 % | 2 s.e. | bar | last epoch | lost | 2 s.e. |",
        "|---|---|---:|---:|---:|---:|---:|---:|---|---:|---:|---:|",
    ]
    for task, found in made.items():
        lines.append(f"| {_told(task, found)} | guessing | | | {100 * found['dummy']:.1f} | | | | | | | |")
        for way, row in found["ways"].items():
            best, last = row["best lost"], row["last lost"]
            bar = f"≤ {BARS[way]:g}: {judged_bar(best, BARS[way])}{_one(found)}" if way in BARS else ""
            lines.append(
                f"| | {way} | {row['macs']:.2f} | {row['bytes']:.2f} | {100 * row['best']:.2f} | {_told_of(best)} | "
                f"{bar} | {100 * row['last']:.2f} | {_points(last)} | {_bound(last)} |"
            )
    lines += [
        "",
        "| task | all three less | chosen epoch | 95 % | 2 s.e. | | last epoch | 2 s.e. | |",
        "|---|---|---:|---:|---:|---|---:|---:|---|",
    ]
    for task, found in made.items():
        best_of = {kind: (best_pair(found, kind), best_pair(found, kind, SAME)) for kind in KINDS}
        for i, pair in enumerate(PAIRS):
            said = []
            for kind, (first, same) in best_of.items():
                mark = ", the best pair" if pair == first else ", the best of its MACs" if pair == same else ""
                said.append(f"{judged(found['together'][pair][kind])}{mark}{_one(found)}")
            best, last = (found["together"][pair][kind] for kind in KINDS)
            lines.append(
                f"| {'' if i else task} | {pair} | {_told_of(best)} | {said[0]} | {_points(last)} | {_bound(last)} | "
                f"{said[1]} |"
            )
    return "\n".join(lines)


def taught(cases: Cases) -> str:
    """What a teacher brings the student."""
    return _students(cases, "student")


def few(cases: Cases) -> str:
    """What it brings where few samples have labels; and what of it the student alone does not, as its own teacher."""
    return _students(cases, "few")


TABLES = {
    "compressed": ("docs/prune.md", compressed),
    "taught": ("docs/distil.md", taught),
    "few": ("docs/distil.md", few),
}  # marker -> page, table


def table(cases: Cases) -> str:
    return "\n\n".join(made(cases) for _, made in TABLES.values())


def _students(cases: Cases, part: str) -> str:
    control = (" by itself | taught has more | 2 s.e. | |", "---:|---:|---:|---|") if part == "few" else ("", "")
    lines = [
        f"| task | MACs | unpruned | teacher | alone | taught | gained | 95 % | 2 s.e. | |{control[0]} last epoch: "
        "alone | taught | gained | 2 s.e. | |",
        f"|---|---:|---:|---:|---:|---:|---:|---:|---:|---|{control[1]}---:|---:|---:|---:|---|",
    ]
    made = summary(cases, part)
    for task, found in made.items():
        ways, (best, last) = found["ways"], (found["taught"][kind] for kind in KINDS)
        shown = [f"{100 * row['best']:.2f}" for way, row in ways.items() if way != ITSELF]
        ends = [f"{100 * ways[way]['last']:.2f}" for way in (ALONE, TAUGHT)]
        itself = ""
        if part == "few":
            more = found["of the teacher"]["best"]
            itself = (
                f" {100 * ways[ITSELF]['best']:.2f} | {_points(more)} | {_bound(more)} | {judged(more)}{_one(found)} |"
            )
        lines.append(
            f"| {_told(task, found)} | {ways[ALONE]['macs']:.2f} | {' | '.join(shown)} | {_told_of(best)} | "
            f"{judged(best)}{_one(found)} |{itself} {' | '.join(ends)} | {_points(last)} | {_bound(last)} | "
            f"{judged(last)}{_one(found)} |"
        )
    several = [f for f in made.values() if f["seeds"] > 1]
    helped = [f for f in several if judged(f["taught"]["best"]) == "better"]
    return "\n".join(
        [*lines, "", f"Better at the chosen epoch: {len(helped)} of {len(several)} tasks with several seeds."]
    )


def read(folder: Path) -> list[dict[str, Any]]:
    """Every case that is kept, in order."""
    found = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    return sorted(found, key=lambda c: (list(TASKS).index(c["task"]), c["part"], c["seed"], c["fold"]))


def write(folder: Path, root: Path = ROOT) -> None:
    """The tables of all cases of ``folder`` into the pages."""
    cases = read(folder)
    for name, (page, made) in TABLES.items():
        tables(root / page, {name: made(cases)})


def _told(task: str, found: Mapping[str, Any]) -> str:
    seeds = f"{found['seeds']} seed" + ("s" if found["seeds"] > 1 else "")
    counts = f"{seeds}, {found['cases']} cases, {found['tests']:,} tests"
    return f"{task}, {TASKS[task].net}, {' + '.join(map(str, found['epochs']))} epochs: {counts}"


def _one(found: Mapping[str, Any]) -> str:
    """With one seed the error is that of the samples alone, which is too small."""
    return "" if found["seeds"] > 1 else " (one seed)"


def _told_of(difference: Mapping[str, float]) -> str:
    low, high = (f"{100 * difference[end]:+.2f}" for end in ("low", "high"))
    return f"{_points(difference)} | {low} to {high} | {_bound(difference)}"


def _points(difference: Mapping[str, float]) -> str:
    return f"{100 * difference['mean']:+.2f}"


def _bound(difference: Mapping[str, float]) -> str:
    return f"{200 * difference['error']:.2f}"
