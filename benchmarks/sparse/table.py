"""The tables of docs/sparse.md."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from selvedge.make.sparse import FASTER

from .shapes import PATTERNS

PEERS = ("torch CSR, 90 %", "torch dense", "ONNX Runtime dense")


def layers(rows: Sequence[dict[str, Any]]) -> str:
    """Microseconds of the dense kernel, and how many times as fast each pattern is; a ring where a plan stays dense."""
    names = list(PATTERNS)
    every = [row["ways"][name] for row in rows for name in names]
    chosen = [way for way in every if way["chosen"]]
    slower = sum(way["speedup"]["median"] < 1 for way in chosen)
    missed = sum(way["speedup"]["median"] > 1 / FASTER for way in every if not way["chosen"])
    lines = [f"| network | layer | dense µs | {' | '.join(names)} |", f"|---|---|---:|{'---:|' * len(names)}"]
    for row in rows:
        ways = row["ways"]
        cells = [_ratio(ways[name]) + ("" if ways[name]["chosen"] else " °") for name in names]
        lines.append(f"| `{row['network']}` | {row['layer']} | {_micro(ways['dense'])} | {' | '.join(cells)} |")
    told = (
        f"Chosen by a plan: {len(chosen)} of {len(every)}; {slower} of those were slower than dense. Of the others (°) "
    )
    return "\n".join([*lines, "", f"{told}{missed} would have been faster by more than a tenth."])


def peers(rows: Sequence[dict[str, Any]]) -> str:
    """Microseconds of others at the same layer."""
    lines = [
        "| layer | here, dense | here, 90 % | torch dense | torch CSR, 90 % | ONNX Runtime dense |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        ways = row["ways"]
        cells = [_micro(ways[n]) for n in ("dense", "90 %", "torch dense", "torch CSR, 90 %", "ONNX Runtime dense")]
        lines.append(f"| {row['layer']} | {' | '.join(cells)} |")
    failed = {n: w["failed"] for row in rows for n, w in row["ways"].items() if "failed" in w}
    return "\n".join([*lines, "", *(f"- {name}: FAILED: {why}" for name, why in failed.items())])


def stored(rows: Sequence[dict[str, Any]]) -> str:
    """Bytes of weights, biases among them."""
    names = list(PATTERNS)
    lines = [f"| layer | dense B | {' | '.join(names)} |", f"|---|---:|{'---:|' * len(names)}"]
    for row in rows:
        ways = row["ways"]
        dense = ways["dense"]["bytes"]
        cells = [f"{ways[n]['bytes'] / dense:.2f}" for n in names]
        lines.append(f"| {row['layer']} | {dense:,} | {' | '.join(cells)} |")
    return "\n".join(lines)


def nets(rows: Sequence[dict[str, Any]]) -> str:
    lines = [
        "| network | zeros | dense µs | as chosen, × | layers | flash, × | every layer sparse, × | `for_speed` |",
        "|---|---|---:|---:|---:|---:|---:|---|",
    ]
    for row in rows:
        if "failed" in row:
            lines.append(f"| `{row['network']}` | {row['pattern']} | FAILED: {row['failed']} | | | | | |")
            continue
        dense, auto, every = row["dense"], row["auto"], row["all"]
        said = "taken" if row["for_speed"] == "taken" else "refused"
        lines.append(
            f"| `{row['network']}` | {row['pattern']} | {_micro(dense)} | {_ratio(auto)} | {auto['taken']} of "
            f"{auto['layers']} | {auto['bytes'] / dense['bytes']:.2f} | {_ratio(every)} | {said} |"
        )
    return "\n".join(lines)


def instructions(rows: Sequence[dict[str, Any]]) -> str:
    """Of a core without vectors."""
    names = list(PATTERNS)
    lines = [f"| network | layer | dense | {' | '.join(names)} |", f"|---|---|---:|{'---:|' * len(names)}"]
    for row in rows:
        if "failed" in row:
            lines.append(f"| FAILED: {row['failed']} | | | {' | ' * (len(names) - 1)} |")
            continue
        dense = row["instructions"]["dense"]
        cells = [_bold(dense / row["instructions"][n]) for n in names]
        lines.append(f"| `{row['network']}` | {row['layer']} | {dense:,} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _micro(way: dict[str, Any]) -> str:
    if "failed" in way:
        return "FAILED"
    return f"{_three(1e6 * way['median'])} ({_three(1e6 * way['low'])}-{_three(1e6 * way['high'])})"


def _three(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def _ratio(way: dict[str, Any]) -> str:
    speed = way["speedup"]
    return f"{_bold(speed['median'])} ({speed['low']:.2f}-{speed['high']:.2f})"


def _bold(ratio: float) -> str:
    return f"**{ratio:.2f}**" if ratio > 1 else f"{ratio:.2f}"
