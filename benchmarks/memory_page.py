"""The memory of the zoo for people: the README's table out of ``benchmarks/results/proofs.json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .cells import failure
from .environment import caption
from .readme import replaced
from .zoo_memory import LAST, PEERS, VARIANTS

NAME = "memory of every zoo network, with peers"
SECTION = "zoo"  # of the README
UNKNOWN = "Not run to the end on this code."


def section(known: Mapping[str, Mapping[str, Any]]) -> str:
    """What stands in the README, out of the results by proof."""
    if NAME not in known:
        return UNKNOWN
    figures = known[NAME]["figures"]
    missed = "".join(f"- **Missed**: {one}.\n" for one in figures.get("missed", ()))
    return f"{table(figures['rows'])}\n{missed}\n{caption(figures['about'])}"


def shown(readme: str, known: Mapping[str, Mapping[str, Any]]) -> str:
    """``readme`` with the section of ``known``."""
    return replaced(readme, SECTION, section(known))


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Markdown, MB; a line a network, and one for each cell that has no figure."""
    lines = [
        "| network | norms | full | bound | lighter | bound | last:3 | auto | it learns | PyTorch | ExecuTorch |",
        "|---|---|---:|---:|---:|---:|---:|---:|---|---:|---:|",
    ]
    notes = []
    for r in rows:
        cells = [_norms(r)]
        for name in VARIANTS:
            found = r[name]
            why = failure(found)
            if why:
                notes.append(f"`{r['model']}`, {name}: {short(why)}.")
            cells.append("-" if why else mb(found["measured"]))
            if name in ("full", "lighter"):
                cells.append("-" if why else bound(found))
            if name == "sparse" and not why and found["update"] != f"last:{LAST}":
                cells[-1] += f" ({found['update']})"
        cells.append("-" if failure(r["auto"]) else r["auto"]["update"])
        for peer, label in zip(PEERS, ("PyTorch", "ExecuTorch"), strict=True):
            why = failure(r[peer])
            if why:
                notes.append(f"`{r['model']}`, {label}: {short(why)}.")
            cells.append("failed" if why else mb(r[peer]))
        lines.append(f"| `{r['model']}` | {' | '.join(cells)} |")
    if notes:
        lines += ["", *(f"- {note}" for note in notes)]
    return "\n".join(lines)


def bound(found: Mapping[str, Any]) -> str:
    """Of the order that was chosen; and behind a stroke that of every order, where it reads differently."""
    order, other = (mb(found["persistent"] + found[key]) for key in ("bound", "bound_any_order"))
    return order if order == other else f"{order} / {other}"


def mb(size: int) -> str:
    """MB of 10^6 bytes in three digits."""
    value = size / 1e6
    digits = 0 if value >= 99.95 else 1 if value >= 9.995 else 2 if value >= 0.9995 else 3
    return f"{value:.{digits}f}"


def _norms(row: Mapping[str, Any]) -> str:
    if row["norms"] == row["folded"]:
        return "folded" if row["norms"] else "none"
    return f"{row['folded']} of {row['norms']}" if row["folded"] else "frozen"


def short(why: str) -> str:
    """Without the address that an error of PyTorch's ends with, which is cut off."""
    return why.partition(" (http")[0].rstrip(".")
