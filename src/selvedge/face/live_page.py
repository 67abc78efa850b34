"""A life drawn: how often it was right, what it cost, and what the diary says of it."""

from __future__ import annotations

from pathlib import Path

from .. import draw
from ..artifact import files
from ..device.sizes import format_bytes
from .living import Lived


def write(lived: Lived, name: str, path: Path) -> None:
    """A page; or with .svg its first picture alone."""
    pictures = _pictures(lived, svg=path.suffix == ".svg")
    if path.suffix == ".svg":
        files.write(path, pictures[0][1].encode())
        return
    parts = [draw.section(title, picture) for title, picture in pictures]
    rows = [[part, format_bytes(n)] for part, n in lived.bytes.items()]
    parts.append(draw.section("RAM", draw.table(["part", "bytes"], [*rows, ["all", _total(lived)]], len(rows))))
    if lived.diary:
        told = [[f"{sample:,}", kind, why] for sample, kind, why in lived.diary]
        parts.append(draw.section("Diary", draw.table(["sample", "what", "why"], told)))
    files.write(path, draw.page(f"A model on {name}", parts, subtitle=str(lived).splitlines()[0]).encode())


def _pictures(lived: Lived, svg: bool) -> list[tuple[str, str]]:
    points = lived.points
    loss = [draw.Line("of the last 200", "a", [(float(p.seen), p.loss) for p in points])]
    made = [("Loss", draw.curves("Loss by sample", "samples", "loss", loss, svg=svg))]
    if lived.classes:
        right = [
            draw.Line("of the last 200", "a", [(float(p.seen), p.lately) for p in points]),
            draw.Line("of all", "b", [(float(p.seen), p.merit) for p in points]),
        ]
        picture = draw.curves("Right before it was learnt", "samples", "right", right, percent=True, svg=svg)
        made.insert(0, ("Accuracy", picture))
    return made


def _total(lived: Lived) -> str:
    total = format_bytes(sum(lived.bytes.values()))
    return f"{total} of {format_bytes(lived.budget)}" if lived.budget else total
