"""The demonstration on a terminal: lines of the story, a live panel while it learns, a table at the end."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ...device.sizes import format_bytes
from .outcome import Outcome, Point, Scores


@dataclass(frozen=True, slots=True)
class Progress:
    """Where the adaptation stands. Sizes in bytes, ``step_s`` in seconds; ``total`` samples in the stream."""

    total: int
    before: Scores
    point: Point
    arena_predicted: int
    arena_measured: int
    budget: int
    torch_bytes: int
    step_s: float


class Display(Protocol):
    """What the story needs of a display."""

    def say(self, line: str) -> None:
        """A line of the story."""

    def progress(self, now: Progress) -> None:
        """A new look at the learner."""


class Silent:
    """Shows nothing: for machines, and for tests."""

    def say(self, line: str) -> None:
        pass

    def progress(self, now: Progress) -> None:
        pass


class Terminal:
    """Shows everything; use it in a ``with`` block, which gives the terminal back however it ends."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._live = Live(console=console, auto_refresh=False)
        self._started = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._started:
            self._live.stop()

    def say(self, line: str) -> None:
        if self._started:  # a finished panel stays above what is said next
            self._live.stop()
            self._started = False
            self.console.print()
        item = Table.grid(padding=(0, 1))
        item.add_row(Text("•", style="dim"), line)
        self.console.print(item)

    def progress(self, now: Progress) -> None:
        if not self._started:
            self.console.print()
            self._live.start()
            self._started = True
        self._live.update(panel(now), refresh=True)

    def finish(self, outcome: Outcome) -> None:
        """The comparison, last."""
        self.console.print()
        self.console.print(comparison(outcome))


def panel(now: Progress) -> RenderableType:
    """The live panel."""
    point, before = now.point, now.before
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column(justify="right", min_width=12)
    grid.add_column(style="dim")
    stream = "-" if point.stream is None else f"{point.stream:.1%}"
    grid.add_row("held-out, changed camera", _bold(f"{point.scores.shifted:.1%}"), f"{before.shifted:.1%} before")
    grid.add_row("held-out, clean", _bold(f"{point.scores.clean:.1%}"), f"{before.clean:.1%} before")
    grid.add_row("stream, predicted then learnt", stream, f"{point.seen} of {now.total} samples")
    grid.add_row("arena predicted", f"{now.arena_predicted:,} B", f"of {format_bytes(now.budget)}")
    grid.add_row("arena measured", f"{now.arena_measured:,} B", "from painted memory")
    grid.add_row("PyTorch, the same training", f"{now.torch_bytes:,} B", "tensors alive at the peak")
    grid.add_row("a step here", f"{now.step_s * 1e6:,.0f} µs", "one thread")
    whole = Table.grid()
    whole.add_row(ProgressBar(total=now.total, completed=point.seen, width=60))
    whole.add_row(grid)
    return whole


def comparison(outcome: Outcome) -> Table:
    """Selvedge between its baselines."""
    table = Table(title_justify="left", box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column(f"on {len(outcome.clean_photos)} held-out digits")
    for column in ("changed", "clean", "stream", "memory", "a step"):
        table.add_column(column, justify="right")
    for i, row in enumerate(rows(outcome)):
        table.add_row(*row, style="bold" if i == 2 else "")
    return table


def rows(outcome: Outcome) -> list[tuple[str, str, str, str, str, str]]:
    """(who, accuracy after on the changed camera, on clean, over the stream, bytes, time a step) for each learner."""
    found = [("no adaptation", f"{outcome.before.shifted:.1%}", f"{outcome.before.clean:.1%}", "-", "-", "-")]
    for track, size in (
        (outcome.last_layer, outcome.last_layer_plan.arena_bytes),
        (outcome.adapted, outcome.plan.arena_bytes),
        (outcome.full, outcome.torch_full_bytes),
    ):
        scores = track.after
        found.append(
            (
                track.name,
                f"{scores.shifted:.1%}",
                f"{scores.clean:.1%}",
                f"{track.stream:.1%}",
                f"{size:,} B",
                f"{track.step_s * 1e6:,.0f} µs",
            )
        )
    return found


def _bold(text: str) -> Text:
    return Text(text, style="bold")
