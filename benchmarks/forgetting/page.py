"""The table of all cases, for people: printed, and between markers of ``docs/memory.md``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.written import ROOT, tables

from .experiment import FIRST_TASK, LATENTS, TRADED, WAYS, summary

DOCS, NAME = "docs/memory.md", "forgetting"
BAR, APART = 90.0, 0.5
NAMES = {
    "naive": "naive, no replay", "raw": "replay, uint8 as they are", "1bit": "replay, 1 bit",
    "half+2bit": "replay, 14 x 14 at 2 bits", TRADED: "replay, as the trade chooses",
    FIRST_TASK: "replay, as it chooses from two digits",
    LATENTS[0]: "latents of a random front, float32, at equal count", LATENTS[1]: "latents of a random front, int8",
    "der++-raw": "DER++, uint8 as they are", "der++": "DER++, 14 x 14 at 2 bits",
    "lwf": "LwF, no replay", "ewc": "EWC, no replay",
    "replay-lwf": "replay, 14 x 14 at 2 bits, and LwF", "replay-ewc": "replay, 14 x 14 at 2 bits, and EWC",
}  # fmt: skip
Cases = Sequence[Mapping[str, Any]]


def table(cases: Cases) -> str:
    """What is right in the end, by way, and how the trade chose; what cannot be measured yet has its line."""
    made = summary(cases)
    lines = [
        "| way | codec | samples held | replay | beside it | final accuracy | ± | each order | "
        "of 2, 4, 6, 8, 10 classes | arena | processor |",
        "|---|---|---:|---:|---:|---:|---:|---|---|---:|---:|",
    ]
    for way, found in made.items():
        replay = f"{found['bytes']:,} B" if found["bytes"] else ""
        beside = f"{found['beside']:,} B" if found["beside"] else ""
        sd = f"{100 * found['sd']:.1f}" if len(found["final"]) > 1 else ""
        lines.append(
            f"| {NAMES[way]} | {_few(found['codecs'])} | {_few(found['capacities'])} | {replay} | {beside} | "
            f"**{100 * found['mean']:.1f}** | {sd} | {_each(found['final'])} | "
            f"{_each(found['after'])} | {found['arena']:,} B | {found['seconds']:.0f} s |"
        )
    lines += [f"| {NAMES[way]} | | | | | not measured yet | | | | | |" for way in WAYS if way not in made]
    if TRADED in made:
        mean, orders = 100 * made[TRADED]["mean"], len(made[TRADED]["final"])
        said = "met" if mean >= BAR else "missed"
        counted = f"{orders} class order" + ("s" if orders > 1 else "")
        lines += ["", f"At least {BAR:.0f} % with the codec that the trade chose: {said}, {mean:.1f} % over {counted}."]
    if made.keys() >= set(LATENTS) and len({len(made[way]["final"]) for way in LATENTS}) == 1:
        float32, int8 = (made[way]["final"] for way in LATENTS)
        lines += ["", _apart(100 * (np.array(int8) - np.array(float32)))]
    return "\n".join([*lines, *_rankings(cases)])


def read(folder: Path) -> list[dict[str, Any]]:
    """Every case that is kept, in order."""
    found = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    return sorted(found, key=lambda c: (list(WAYS).index(c["way"]), c["seed"]))


def write(folder: Path, root: Path = ROOT) -> None:
    """The table of all cases of ``folder`` into the page."""
    tables(root / DOCS, {NAME: table(read(folder))})


def _apart(differences: npt.NDArray[np.float64]) -> str:
    """What int8 is better by, order by order, and what its mean says: twice its standard error must lie within, too."""
    mean, count = float(differences.mean()), len(differences)
    sure = 2 * float(differences.std(ddof=1)) / np.sqrt(count) if count > 1 else np.inf
    within, beyond = abs(mean) + sure <= APART, abs(mean) - sure > APART
    said = f"within {APART} points" if within else f"beyond {APART} points" if beyond else "too uncertain to tell"
    each = " ".join(f"{d:+.2f}" for d in differences)
    return (
        f"Latents, int8 less float32 at equal count, order by order: {each}; mean {mean:+.2f} ± {sure:.2f} (two "
        f"standard errors): {said}."
    )


def _rankings(cases: Cases) -> list[str]:
    """What the trade measured; by the network and all digits it is the same for every order."""
    judged = [(", ".join(map(str, c["classes"][:2])), c) for c in cases if c["way"] == FIRST_TASK]
    judged[:0] = [("all", c) for c in cases if c["way"] == TRADED][:1]
    if not judged:
        return []
    lines = ["", "| digits known | the trade's ranking: judged right, % (samples that fit) |", "|---|---|"]
    for digits, c in judged:
        ranked = (f"{r['codec']} {100 * r['score']:.1f} ({r['capacity']})" for r in c["ranking"])
        lines.append(f"| {digits} | {', '.join(ranked)} |")
    return lines


def _each(shares: Sequence[float]) -> str:
    return " ".join(f"{100 * share:.1f}" for share in shares)


def _few(values: Sequence[Any]) -> str:
    """One, where all are the same; else all in order."""
    if not any(values):
        return ""
    same = len(set(values)) == 1
    return str(values[0]) if same else ", ".join(map(str, values))
