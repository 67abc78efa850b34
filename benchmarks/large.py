"""Both tables of bytes for the zoo's largest model: it takes minutes, so it runs when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from . import memory, peer_memory

MODELS = ("mobilenet_v2",)


def run(models: Sequence[str] = MODELS, quick: bool = False) -> Iterator[dict[str, Any]]:
    """A row a treatment of norms: both tables' figures."""
    for spec in models:
        for norms in memory.NORMS:
            yield {**memory.row(spec, norms, rounds=5 if quick else 21), **peer_memory.row(spec, norms)}


def line(row: dict[str, Any]) -> str:
    """One row for the eye, while the others are made."""
    return f"{memory.line(row)}; {peer_memory.line(row)}"


def slower(rows: Sequence[dict[str, Any]]) -> list[str]:
    """What breaks either table's promise."""
    return memory.slower(rows) + peer_memory.slower(rows)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown: both tables."""
    return f"{memory.table(rows)}\n\n{peer_memory.table(rows)}"
