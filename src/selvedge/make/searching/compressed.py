"""What a search found: the best, the surface of what can be had, and what each step gave and cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from torch import nn

from ...device.sizes import format_bytes
from ...draw.page import page, section, table, tiles
from ...draw.scatter import Dot, scatter
from ..compile import HostSession
from ..interleaved import Timing
from ..plan import Plan
from ..table import engineering
from .candidate import FLOAT, INT8, Candidate
from .limits import Limits
from .surest import surest
from .walled import walled

NOTE = "predict: planned for the device; here: measured on this machine, of the Pareto set, and decides nothing"


@dataclass(frozen=True, slots=True)
class Step:
    """``gave``: in words; ``seconds``: that it took, when it was done."""

    name: str
    gave: str
    seconds: float


@dataclass(frozen=True, slots=True, repr=False)
class Compressed:
    """``candidates``: all that were measured to the end, the best accuracy first; those with ``best`` are the Pareto
    set. ``dummy``: the accuracy of the most frequent class. ``people``: who judged; empty where the data knows none.
    ``samples``: that each learned from; ``tests``: that judged. ``here``: by the name of each of the Pareto set, the
    time of a prediction in compiled code on this machine, as it was measured when the search ended; it decides nothing,
    and two runs differ in it. ``seed``, ``steps``: how it came about."""

    device: str
    limits: Limits
    candidates: tuple[Candidate, ...]
    people: tuple[str, ...]
    samples: int
    tests: int
    dummy: float
    here: Mapping[str, Timing] = field(compare=False)
    steps: tuple[Step, ...]
    seed: int
    _made: Callable[[Candidate], tuple[nn.Module, Plan]] = field(compare=False)

    @property
    def best(self) -> Candidate:
        """The most accurate behind its learning of those that keep the budget; of those within two standard errors of
        it the surest (:func:`surest`)."""
        return surest([c for c in self.candidates if c.fits], self.tests)

    @property
    def pareto(self) -> tuple[Candidate, ...]:
        """Of those that fit, no other is as good in accuracy before and behind learning, bytes, time and energy, and
        better in one; how sure the answers are counts as accuracy does."""
        return tuple(c for c in self.candidates if c.best)

    @property
    def for_inference_alone(self) -> Candidate:
        """What one would take who only asks for predictions - the network that is most accurate as shipped of those
        that keep the budget but for its accuracy behind learning - in its own best adaptation within the RAM to train,
        at any bits, be that too much to run."""
        top = ships_best(self.candidates, self.limits)
        same = [c for c in self.candidates if (c.architecture, c.taught) == (top.architecture, top.taught)]
        return surest(same, self.tests)

    def take(self, candidate: Candidate | None = None) -> tuple[nn.Module, Plan]:
        """The module of ``candidate`` (by default the best), and the plan with which it runs and learns: for
        :func:`selvedge.compile` and :func:`selvedge.emit`."""
        return self._made(self.best if candidate is None else candidate)

    def session(self, candidate: Candidate | None = None) -> HostSession:
        """Compiled code of ``candidate`` (by default the best) that learns in an arena of exactly the budget's bytes to
        train and predicts in the first of them, as many as it has to run: behind them there is no memory. Raises
        :class:`DoesNotFit` for a candidate that breaks either."""
        assert self.limits.run is not None
        assert self.limits.train is not None
        return walled(self.take(candidate)[1], self.limits.run, self.limits.train)

    def to_dict(self) -> dict[str, Any]:
        """The figures, for machines."""
        return {
            "device": self.device,
            "limits": {k: getattr(self.limits, k) for k in Limits.__dataclass_fields__},
            "seed": self.seed,
            "people": list(self.people),
            "samples": self.samples,
            "tests": self.tests,
            "dummy": self.dummy,
            "best": self.best.name,
            "for_inference_alone": self.for_inference_alone.name,
            "candidates": [c.to_dict() for c in self.candidates],
            "here": {name: asdict(took) for name, took in self.here.items()},
            "steps": [{"name": s.name, "gave": s.gave, "seconds": s.seconds} for s in self.steps],
        }

    def __str__(self) -> str:
        behind = f"after {self.samples} samples" if self.people else f"after {self.samples} more samples"
        lines = [f"{self.device}: {self.limits}; guessing {self.dummy:.1%}", ""]
        wide = max(18, len(behind)) + 2
        sizes = "".join(f"{name:>11}" for name in ("run", "train", "flash"))
        lines.append(f"{'':2}{'shipped':>8}{behind:>{wide}}{sizes}{'predict':>10}{'here':>10}  candidate")
        for c in self.pareto:
            mark = "*" if c is self.best else ""
            f = c.figures
            sizes = "".join(f"{format_bytes(b):>11}" for b in (f.run_bytes, f.train_bytes, f.flash_bytes))
            times = "".join(f"{_time(t):>10}" for t in (f.seconds, self._median(c)))
            lines.append(f"{mark:2}{c.shipped:>8.1%}{c.learnt:>{wide}.1%}{sizes}{times}  {c.name}")
        lines.append(NOTE)
        lines += ["", *(f"{s.name:<12}{s.seconds:>7.0f} s  {s.gave}" for s in self.steps)]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<Compressed for {self.device}: {self.best.name}, {self.best.learnt:.1%}>"

    def _median(self, c: Candidate) -> float | None:
        return self.here[c.name].median if c.name in self.here else None

    def page(self) -> str:
        """A page: the accuracy behind learning over RAM to train, and all figures."""
        dots = [
            Dot(
                c.figures.train_bytes, c.learnt, c.bits, f"{c.name}: {c.learnt:.1%}, {c.shipped:.1%} as shipped", c.best
            )
            for c in self.candidates
        ]
        picture = scatter(
            "accuracy behind learning over RAM to train", "accuracy", dots, ((FLOAT, "ink"), (INT8, "accent")),
            limit=self.limits.train, percent=True,
        )  # fmt: skip
        head = (
            "candidate",
            "shipped",
            "learnt",
            "RAM to run",
            "RAM to train",
            "flash",
            "MACs",
            "predict",
            "here",
            "rate",
            "",
        )
        rows = [
            (
                c.name, f"{c.shipped:.1%}", f"{c.learnt:.1%}", format_bytes(c.figures.run_bytes),
                format_bytes(c.figures.train_bytes), format_bytes(c.figures.flash_bytes), f"{c.figures.macs:,}",
                _time(c.figures.seconds), _time(self._median(c)), f"{c.rate:g}",
                "best" if c is self.best else "Pareto" if c.best else "" if c.fits else "over budget",
            )
            for c in self.candidates
        ]  # fmt: skip
        steps = [(s.name, s.gave, f"{s.seconds:.0f}") for s in self.steps]
        return page(
            f"Compressed for {self.device}",
            [
                tiles([("accuracy", f"{self.best.learnt:.1%}"), ("as shipped", f"{self.best.shipped:.1%}"),
                       ("RAM to run", format_bytes(self.best.figures.run_bytes)),
                       ("RAM to train", format_bytes(self.best.figures.train_bytes))]),
                section("What can be had", picture),
                section("Candidates", table(head, rows, self.candidates.index(self.best)), f"<p>{NOTE}</p>"),
                section("Steps", table(("step", "gave", "seconds"), steps)),
            ],
            subtitle=f"{self.best.name}; budget: {self.limits}",
        )  # fmt: skip


def _time(seconds: float | None) -> str:
    return "-" if seconds is None else engineering(seconds, "s")


def marked(candidates: Sequence[Candidate]) -> list[Candidate]:
    """With ``best`` said of each, the most accurate behind learning first."""
    points = [(c, _worth(c)) for c in candidates]
    fitting = [w for c, w in points if c.fits]
    made = [replace(c, best=c.fits and not any(beats(o, w) for o in fitting)) for c, w in points]
    return sorted(made, key=lambda c: (-c.learnt, c.figures.train_bytes, c.name))


def ships_best(candidates: Sequence[Candidate], limits: Limits) -> Candidate:
    """The most accurate before any learning of those whose costs keep ``limits``; of equals the one that runs in
    least."""
    running = [c for c in candidates if not any(limits.broken(c.figures))]
    return max(running, key=lambda c: (c.shipped, -c.figures.run_bytes))


def _worth(c: Candidate) -> tuple[float, ...]:
    """More is better in each; what nobody knows is not better than what is known."""
    return (c.learnt, -c.brier, c.shipped, *(-math.inf if v is None else -v for v in c.figures.costs().values()))


def beats(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    """Whether ``a`` is as good as ``b`` in everything, and better in something."""
    return all(x >= y for x, y in zip(a, b, strict=True)) and a != b
