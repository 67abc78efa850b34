"""Bars of bytes on one scale, for the demonstration's page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a bar."""

    label: str
    colour: str
    size: int


def bars(rows: Sequence[tuple[str, Sequence[Part]]], limit: tuple[str, int]) -> str:
    """Sizes in bytes on one scale; ``limit`` is a line through all of them."""
    most = max(limit[1], *(sum(p.size for p in parts) for _, parts in rows))
    made = []
    for label, parts in rows:
        stretches = "".join(
            f'<span class="{p.colour}" style="width:{100 * p.size / most:.3f}%"'
            f' title="{escape(p.label)}: {p.size:,} B"></span>'
            for p in parts
        )
        mark = f'<span class="limit" style="left:{100 * limit[1] / most:.3f}%"></span>'
        made.append(f'<dt>{escape(label)} {_sizes(parts)}</dt><dd><div class="bar">{stretches}{mark}</div></dd>')
    return f'<dl class="bars">{"".join(made)}</dl><p class="note"><i class="limit"></i> {escape(limit[0])}</p>'


def _sizes(parts: Sequence[Part]) -> str:
    """The bytes of a bar, with a key to its colours where there are several."""
    if len(parts) == 1:
        return f"<b>{parts[0].size:,} B</b>"
    return " ".join(
        f'<span class="key"><i class="{p.colour}"></i>{escape(p.label)} <b>{p.size:,} B</b></span>' for p in parts
    )
