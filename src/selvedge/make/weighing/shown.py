"""A comparison as a table for a terminal, and as a page with pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from html import escape
from textwrap import wrap
from typing import TYPE_CHECKING

from ... import draw
from ...device import Budget
from ...device.sizes import format_bytes
from ..table import engineering

if TYPE_CHECKING:
    from .row import Row
    from .weighed import Weighed

GUESSING = "guessing"
HEAD = (
    "way", "test", "±", "last epoch", "file", "RAM to run", "RAM to train", "learns there", "flash", "MACs", "here",
    "on device", "energy", "to make", "needs",
)  # fmt: skip
SHORT = ("way", "test", "±", "last", "file", "run", "train", "learns", "flash", "MACs", "here", "device", "energy",
         "made in", "needs")  # fmt: skip
FORMS = ("<24", ">6", ">6", ">7", ">8", ">7", ">8", ">9", ">8", ">8", ">9", ">9", ">9", ">9", "")
WIDTH = 128
LETTERS = {"labels": "L", "a training run": "R", "the model as teacher": "T", "samples without labels": "S"}
FLOAT, INTEGER = "float32", "int8"
COLOURS = {FLOAT: "a", INTEGER: "b"}


def table(found: Weighed) -> str:
    """Text for ``print(found)``: bytes in KiB."""
    lines = [title(found), *(line for s in _sentences(found) for line in wrap(s, WIDTH)), ""]
    lines.append(_line(SHORT))
    for row in found.rows:
        if row.refused:
            lines += wrap(f"{row.way:<24}refused: {row.refused}", WIDTH, subsequent_indent=" " * 24)
            continue
        figures = _cells(row, lambda n: f"{n / 1024:,.1f}")
        lines.append(_line([*figures[:-1], "".join(LETTERS[n] for n in row.needs) or "-"]))
    lines += [_line([GUESSING, _share(found.guessing.accuracy, found.guessing.loss)]), ""]
    lines += wrap(
        "file, run (RAM to predict), train (RAM of a whole training step, batch 1, SGD, float32) and flash in KiB; "
        "learns: what of it fits the device; here: a prediction in compiled code on this machine; needs: "
        + ", ".join(f"{letter} {word}" for word, letter in LETTERS.items()),
        WIDTH,
    )
    return "\n".join(line.rstrip() for line in [*lines, *_below(found, WIDTH)])


def rows(found: Weighed) -> list[tuple[str, ...]]:
    """Cells under :data:`HEAD`, a row for each way and one for guessing."""
    made = [cells(row) for row in found.rows]
    made.append((GUESSING, _share(found.guessing.accuracy, found.guessing.loss), *[""] * (len(HEAD) - 2)))
    return made


def cells(row: Row) -> tuple[str, ...]:
    """Of one way under :data:`HEAD`; where it is refused the reason comes last."""
    if row.refused:
        return (row.way, *[""] * (len(HEAD) - 2), f"refused: {row.refused}")
    return tuple(_cells(row, format_bytes))


def title(found: Weighed) -> str:
    """What was weighed."""
    return f"{found.name} on {found.device.name}: {len(found.rows)} ways"


def page(found: Weighed) -> str:
    """A document that loads nothing."""
    limit = Budget.of(found.device).ram
    files = [(r, r.costs["file_bytes"]) for r in found.rows if r.costs and r.costs["file_bytes"] is not None]
    trains = [
        (r, r.costs["training"]["full_bytes"])
        for r in found.rows
        if r.costs and r.costs["training"]["full_bytes"] is not None
    ]
    parts = [draw.section("All ways", draw.table(HEAD, rows(found)))]
    if files:
        parts.append(draw.section("Over the size of the file", _scatter(found, files, "file", None)))
    if trains:
        parts.append(draw.section("Over RAM to train all of it", _scatter(found, trains, "RAM to train", limit)))
    below = "".join(f"<p>{escape(line)}</p>" for line in _below(found, 1 << 16))
    return draw.page(title(found), [*parts, below], subtitle=" ".join(_sentences(found)))


def _scatter(found: Weighed, points: Sequence[tuple[Row, int]], words: str, limit: int | None) -> str:
    classes = points[0][0].classes
    scaled = [(row, x, _height(row, classes)) for row, x in points]
    sign = 1 if classes else -1
    dots = []
    for row, x, y in scaled:
        beaten = any(a <= x and sign * b >= sign * y and (a, b) != (x, y) for other, a, b in scaled if other is not row)
        says = f"{row.way}: {_share(row.mean if classes else None, row.mean or 0.0)}, {words} {format_bytes(x)}"
        dots.append(draw.Dot(x, y, INTEGER if "q" in row.way.split("+")[-1] else FLOAT, says, not beaten))
    label = "accuracy, %" if classes else "loss"
    groups = [(g, COLOURS[g]) for g in COLOURS if any(d.group == g for d in dots)]
    return draw.scatter(f"{label} over {words}", label, dots, groups, limit=limit, x_label=words)


def _height(row: Row, classes: bool) -> float:
    assert row.mean is not None
    return 100 * row.mean if classes else row.mean


def _sentences(found: Weighed) -> list[str]:
    terms, sizes = found.terms, found.samples
    begun = "behind those it came with" if terms.trained else "those that begin with the model share the first half"
    seeds = f"{found.seeds} seed{'s' * (found.seeds > 1)}"
    return [
        f"{sizes['train']:,} samples train, {sizes['validation']:,} choose the epoch, {sizes['test']:,} test; {seeds}; "
        f"{terms.epochs} epochs for each way ({begun}); pruned and narrow networks keep {terms.macs:.0%} of the "
        f"multiplications."
    ]


def _below(found: Weighed, width: int) -> Iterator[str]:
    """What the figures do not say of themselves, a line each."""
    for row in found.rows:
        if row.costs and row.costs["refused"]:
            yield from wrap(f"{row.way} does not run there: {row.costs['refused']}", width)
    what = next((r.what for r in found.rows if r.what), "")
    if what:
        yield f"efficient is {what}"
    endings = {r.costs["file"] for r in found.rows if r.costs}
    if "" in endings:
        yield "no file where the format has no operator for it"


def _cells(row: Row, sized: Callable[[int], str]) -> list[str]:
    assert row.costs is not None
    costs, training = row.costs, row.costs["training"]
    kept = costs["file_bytes"]
    spread = "-" if row.spread is None else f"{100 * row.spread:.1f}" if row.classes else f"{row.spread:.2g}"
    mean, last = row.mean, row.last
    assert mean is not None
    assert last is not None
    return [
        row.way,
        _share(mean if row.classes else None, mean),
        spread,
        _share(last if row.classes else None, last),
        "-" if kept is None else sized(kept),
        sized(costs["arena_bytes"]),
        "-" if training["full_bytes"] is None else sized(training["full_bytes"]),
        training["update"] or "nothing",
        sized(costs["flash_bytes"]),
        _count(costs["macs"]),
        "-" if row.here is None else engineering(row.here.median, "s"),
        "-" if costs["seconds"] is None else engineering(costs["seconds"], "s"),
        "-" if costs["joules"] is None else engineering(costs["joules"], "J"),
        _took(row.seconds),
        ", ".join(row.needs) or "-",
    ]


def _share(accuracy: float | None, loss: float) -> str:
    return f"{loss:.3g}" if accuracy is None else f"{100 * accuracy:.1f}"


def _count(macs: int) -> str:
    return f"{macs / 1e6:.2f} M" if macs >= 1e5 else f"{macs / 1e3:.1f} k"


def _took(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


def _line(figures: Sequence[str]) -> str:
    filled = [*figures, *[""] * (len(FORMS) - len(figures))]
    parts = [f"{cell:{form}}" for cell, form in zip(filled[:-1], FORMS, strict=False)]
    return "".join(parts) + f"  {filled[-1]}"
