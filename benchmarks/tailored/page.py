"""The tables and the pictures of all cases: printed, and into ``docs/compress.md``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.written import ROOT, tables
from selvedge.artifact import files
from selvedge.draw.chart import Chart, Key, Line, Tick
from selvedge.draw.standalone import standalone
from selvedge.draw.ticks import percentages, ticks, widened

from .experiment import LEARN, PREDICT
from .summary import ORACLE, WAYS, Difference, Summary, summary
from .tasks import TASKS

DOCS = "docs/compress.md"
PICTURES = ROOT / "docs" / "pictures"
COLOURS = {PREDICT: "b", LEARN: "a"}
Cases = Sequence[Mapping[str, Any]]


def table(cases: Cases) -> str:
    return "\n\n".join(made(cases) for made in TABLES.values())


def _told(cases: Cases) -> str:
    found = _found(cases)
    counts = next(iter(found.values())).gained if found else {}
    heads = ["as shipped", *(str(n) for n in counts if n)]
    lines = [
        f"| task | way | {' | '.join(heads)} | ± | chosen | to run | to train |",
        f"|---|---|{'---:|' * (len(heads) + 4)}",
    ]
    for task, one in found.items():
        seeds = f"{one.seeds} seed{'s' * (one.seeds > 1)}"
        head = f"{TASKS[task].says}: {one.people} people, {seeds}, {one.tests:,} tests"
        lines.append(f"| {head} | guessing | {100 * one.dummy:.1f} |{' |' * (len(heads) + 3)}")
        for way in WAYS:
            each = " | ".join(f"{100 * np.mean(one.told[way][n]):.1f}" for n in counts)
            spread = f"{100 * np.std(one.told[way][max(counts)], ddof=min(1, one.people - 1)):.1f}"
            at = f"{100 * np.mean(one.chosen[way]):.1f}" if way in one.chosen else ""
            run, train = one.ram[way]
            lines.append(f"| | {way} | {each} | {spread} | {at} | {run:,.0f} B | {train:,.0f} B |")
        gains = " | ".join(f"{100 * d.mean:+.1f}" for d in one.gained.values())
        bounds = " | ".join(_bound(d) for d in one.gained.values())
        lines.append(f"| | gained by choosing to learn | {gains} | | | | |")
        lines.append(f"| | 2 s.e. | {bounds} | | | | |")
    lines += [
        "",
        "| gained, behind all samples | points | 2 s.e. of people | | better for | worse for | of tests, seeds | |",
        "|---|---:|---:|---|---:|---:|---:|---|",
    ]
    for task, one in found.items():
        each = {PREDICT: one.gained[max(one.gained)], **one.beyond}
        for way, gain in each.items():
            name = f"{task}, over {way}" if way == PREDICT else f"{task}, over {way.removeprefix(f'{PREDICT}, ')}"
            error = one.tests_error[way]
            by_tests = "better" if gain.mean > 2 * error else "worse" if gain.mean < -2 * error else "open"
            lines.append(
                f"| {name} | {100 * gain.mean:+.2f} | {_bound(gain)} | {gain.judged} | {gain.better} | {gain.worse} | "
                f"{200 * error:.1f} | {by_tests} |"
            )
    return "\n".join(lines)


def _swept(cases: Cases) -> str:
    lines = [
        f"| task | to run | to train | {PREDICT} | {LEARN} | gained | 2 s.e. | |",
        "|---|---:|---:|---:|---:|---:|---:|---|",
    ]
    for task, one in _found(cases).items():
        for (run, train), got in one.swept.items():
            sizes = f"| {task} | {run >> 10} KiB | {train >> 10} KiB |"
            if got is None:
                lines.append(f"{sizes} | | | | nothing keeps it |")
                continue
            less, more, gain = got
            points = " | ".join((f"{100 * less:.1f}", f"{100 * more:.1f}", f"{100 * gain.mean:+.1f}", _bound(gain)))
            lines.append(f"{sizes} {points} | {gain.judged} |")
    return "\n".join(lines)


def _taken(cases: Cases) -> str:
    lines = ["| task | way | taken, of all cases |", "|---|---|---|"]
    for task, one in _found(cases).items():
        for way in WAYS:
            said = "; ".join(f"{name}: {count}" for name, count in one.taken[way].most_common())
            lines.append(f"| {task} | {way} | {said.replace('*', chr(92) + '*')} |")
    return "\n".join(lines)


def _judges(cases: Cases) -> str:
    lines = [
        f"| task | rank correlation, mean of cases | least | most | {LEARN} | what an oracle would have taken |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for task, one in _found(cases).items():
        each = " | ".join(f"{v:+.2f}" for v in (np.mean(one.agreed), min(one.agreed), max(one.agreed)))
        took = " | ".join(f"{100 * np.mean(v):.1f}" for v in (one.told[LEARN][max(one.gained)], one.foreseen))
        lines.append(f"| {task} | {each} | {took} |")
    return "\n".join(lines)


TABLES = {
    "tailored": _told,
    "tailored-budgets": _swept,
    "tailored-taken": _taken,
    "tailored-judges": _judges,
}  # marker -> table


def picture(cases: Cases, task: str) -> str:
    """Accuracy along the samples: an SVG. Dashed: a standard error over people up and down."""
    one = _found(cases)[task]
    counts = list(one.gained)
    mean = {way: [float(np.mean(one.told[way][n])) for n in counts] for way in WAYS}
    error = {way: [_error(one.told[way][n]) for n in counts] for way in COLOURS}
    every = [m + s * e for way in COLOURS for m, e in zip(mean[way], error[way], strict=True) for s in (-1, 1)]
    low, high = widened(min(every), min(1.0, max(*every, *mean[ORACLE])))
    most = max(counts)

    def line(label: str, colour: str, values: Sequence[float], dashed: bool = False) -> Line:
        points = [(n / most, (min(v, high) - low) / (high - low)) for n, v in zip(counts, values, strict=True)]
        return Line(label, colour, points, dashed)

    lines, legend = [], []
    for way, colour in COLOURS.items():
        lines.append(line(way, colour, mean[way]))
        legend.append(Key(f"{way}, adapted", colour, "line", f"{mean[way][-1]:.1%}"))
        for sign in (-1, 1):
            edge = [m + sign * e for m, e in zip(mean[way], error[way], strict=True)]
            lines.append(line(way, colour, edge, dashed=True))
    for way, colour in ((PREDICT, "d"), (LEARN, "e")):
        lines.append(line(way, colour, [mean[way][0]] * len(counts)))
        legend.append(Key(f"{way}, as shipped", colour, "line", f"{mean[way][0]:.1%}"))
    lines.append(line(ORACLE, "f", mean[ORACLE]))
    legend.append(Key(ORACLE, "f", "line", f"{mean[ORACLE][-1]:.1%}"))
    across, up = ticks(0, most, 7), ticks(low, high)
    chart = Chart(
        f"{TASKS[task].says}: 64 KiB to run, 128 KiB to train", "samples of the new person", "right",
        [Tick(n / most, f"{n:g}") for n in across],
        [Tick((v - low) / (high - low), text) for v, text in zip(up, percentages(up), strict=True)],
        legend, lines,
        notes=[f"Mean of {one.people} people; dashed: a standard error over them up and down. {_seeds(one)}."],
    )  # fmt: skip
    return standalone(chart)


def read(folder: Path) -> list[dict[str, Any]]:
    """Every case that is kept, in order."""
    found = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    return sorted(found, key=lambda c: (list(TASKS).index(c["task"]), c["seed"], c["fold"]))


def write(folder: Path, root: Path = ROOT) -> None:
    """All that lies in ``folder``, into the page and its pictures."""
    cases = read(folder)
    for task in _found(cases):
        files.write(root / "docs" / "pictures" / f"tailored-{task}.svg", picture(cases, task).encode())
    tables(root / DOCS, {name: made(cases) for name, made in TABLES.items()})


def _found(cases: Cases) -> dict[str, Summary]:
    return {task: one for task in TASKS if (one := summary(cases, task)) is not None}


def _seeds(one: Summary) -> str:
    return f"{one.seeds} seed{'s' * (one.seeds > 1)}, {one.tests:,} tests"


def _error(each: Sequence[float]) -> float:
    return float(np.std(each, ddof=1) / np.sqrt(len(each))) if len(each) > 1 else 0.0


def _bound(d: Difference) -> str:
    return "" if d.error is None else f"{200 * d.error:.1f}"
