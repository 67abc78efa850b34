"""The surface of what can be had: memory, time and energy against contribution, over what may be chosen of a plan."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Any

import torch
from torch import nn
from torch.export import ExportedProgram

from ..capture import Captured, select
from ..capture.optimizer import SGD, Adam, Optimizer, RMSProp
from ..capture.select import trained_layers
from ..device import Budget, Device
from ..errors import InvalidInput
from ..planning.trade import NOTHING
from .attempts import Attempts, Terms, learnt, learnt_share
from .batch import divided
from .limits import fits
from .plan import Plan, attempt
from .rule import rule
from .surface import notebook, table
from .walk import Task, Walk, tasks_of
from .wish import wished

ROOMS = (0.8, 0.6, 0.4, 0.2)  # between the least that any order can do with and the plain arena
EQUAL = 1e-9  # a relative difference in time or energy that is none
Tell = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Point:
    """One plan. ``optimizer``: ``rule``, how it learns, in words that no other of the sweep has. ``norms``: as of
    ``sv.plan``. ``apply``: the arguments of ``sv.plan`` that make it. ``again``: kernels that run a second time.
    seconds and joules are of a step, None where the device has no figures. ``contribution``: the
    share (0 to 1) of the parameters, or of the measured contribution, that learns. ``fits``: it keeps the budget, and
    ``apply`` may be asked for. ``best``: of its batch and optimiser, no other point is as good in all four and better
    in one."""

    update: str
    batch: int
    optimizer: str
    rule: Optimizer
    apply: Mapping[str, Any]
    arena_bytes: int
    flash_bytes: int
    again: int
    seconds: float | None
    joules: float | None
    learns_parameters: int
    contribution: float
    fits: bool
    norms: str = "frozen"
    best: bool = False

    @property
    def name(self) -> str:
        """What was chosen, in words."""
        again = f", {self.again} kernels again" if self.again else ""
        norms = "" if self.norms == "frozen" else f", norms {self.norms}"
        return f"update {self.update}, batch {self.batch}, {self.optimizer}{norms}{again}"

    def to_dict(self) -> dict[str, Any]:
        """The figures, for machines."""
        return {
            "update": self.update,
            "batch": self.batch,
            "optimizer": self.optimizer,
            "norms": self.norms,
            "ram": self.apply["budget"].ram if "budget" in self.apply else None,
            "arena_bytes": self.arena_bytes,
            "flash_bytes": self.flash_bytes,
            "kernels_again": self.again,
            "seconds_per_sample": None if self.seconds is None else self.seconds / self.batch,
            "joules_per_sample": None if self.joules is None else self.joules / self.batch,
            "seconds_per_step": self.seconds,
            "joules_per_step": self.joules,
            "learns_parameters": self.learns_parameters,
            "contribution": self.contribution,
            "fits": self.fits,
            "best": self.best,
        }


@dataclass(frozen=True, slots=True)
class Sweep:
    """``points`` in the order of their RAM; ``asked``: how many there can be at most; ``complete``: nothing ended it
    before the last of them. ``measured``: contribution is, else it is the share of the parameters."""

    name: str
    device: Device
    budget: Budget
    points: tuple[Point, ...]
    asked: int
    complete: bool
    measured: bool
    seconds: float

    @property
    def best(self) -> tuple[Point, ...]:
        """The Pareto surface."""
        return tuple(p for p in self.points if p.best)

    def to_dict(self) -> dict[str, Any]:
        """The figures, for machines."""
        return {
            "model": self.name,
            "device": self.device.name,
            "budget_ram_bytes": self.budget.ram,
            "contribution": "measured" if self.measured else "parameters",
            "asked": self.asked,
            "complete": self.complete,
            "seconds_to_sweep": self.seconds,
            "points": [p.to_dict() for p in self.points],
        }

    def __str__(self) -> str:
        return table(self)

    def _repr_html_(self) -> str:
        """What a notebook shows: the pictures and the table."""
        return notebook(self)


def sweep(
    model: nn.Module | ExportedProgram,
    example: torch.Tensor | tuple[torch.Tensor, ...],
    *,
    updates: Sequence[str] | None = None,
    batches: Sequence[int] | None = None,
    optimizers: Sequence[Optimizer] | None = None,
    rooms: Sequence[float] = ROOMS,
    contribution: Mapping[str, float] | None = None,
    seconds: float | None = None,
    tell: Tell | None = None,
    stop: Callable[[], bool] = lambda: False,
    **options: Any,
) -> Sweep:
    """Plan ``model`` in many ways, and say which of them are worth having.

    updates: by default "full", "bias" and "last:K" for every K. batches, optimizers: by default those of ``options``.
    rooms: besides plain, each is planned into fewer bytes, values being made again as ``trade`` of ``options`` allows,
    for as long as that succeeds: these shares of the way from what no sequence can do without (0) to the plain arena
    (1). What is too large for the budget as it is, is planned into that too, as ``sv.plan`` plans it.
    contribution: state name -> score >= 0, as measured; by default every parameter counts the same.
    options: further arguments of :func:`selvedge.plan`; its budget marks which points fit.

    Where ``options`` say nothing of norms and the model has batch norms that can be folded, each is planned with frozen
    and with folded ones, and these are compared: a folded norm computes the same, and what it had to learn is missing
    from the share that learns. Not where ``contribution`` is given: it was measured of norms as they are.

    seconds: stop before a plan would end later. The points are planned from coarse to fine, so that what was planned
    covers the whole surface; each is exact. tell: is called with (points done, points at most, what comes next). stop:
    is asked before every plan.

    Points of different batches or optimisers are not compared with each other: how well they learn is not known.
    Raises ``InvalidInput`` and ``NotSupported`` as ``plan`` does.
    """
    start = time.perf_counter()
    _require_given(batches, optimizers, rooms, contribution, seconds, tell, stop)
    wish = wished(model, example, **options)
    attempts = Attempts(wish, attempt)
    own = attempts.own
    divided(wish.example, own.accumulate)  # refuses a batch that is no multiple
    captured = attempts.capture(own.micro_batch, own.norms)
    listed = _updates(captured) if updates is None else _checked(captured, updates)
    if contribution is not None:
        _require_scores(contribution, captured)
    norms = _norms(attempts) if contribution is None and "norms" not in options else [own.norms]
    whole = None if contribution is not None else sum(captured.state[n].size for n in captured.trainable)
    for batch in batches or ():
        if batch % own.accumulate:
            raise InvalidInput("batches", batch, f"each is {own.accumulate} micro-batches: give multiples of that")
        attempts.capture(batch // own.accumulate, own.norms)
    names = _named(optimizers or [own.optimizer])
    asked = [
        replace(own, update=u, batch=b, optimizer=o, norms=n)
        for u in listed
        for b in batches or (own.batch,)
        for o in names
        for n in norms
    ]
    tasks = tasks_of(asked, sorted(rooms, reverse=True) if own.trade.recompute else [])
    walk = Walk(attempts)
    points: list[Point] = []
    complete = True
    for done, task in enumerate(tasks):
        if stop() or (seconds is not None and points and time.perf_counter() - start + walk.longest(task) > seconds):
            complete = False
            if stop():
                break
            continue  # one of the other kind may still be quick enough
        if tell is not None:
            folded = ", norms folded" if task.terms.norms != own.norms else ""
            tell(done, len(tasks), f"update {task.terms.update}, batch {task.terms.batch}{folded}")
        plan = walk.planned(task)
        if plan is not None:
            points.append(_point(plan, task, own, wish.budget, contribution, whole, names))
    return Sweep(
        wish.name,
        wish.device,
        wish.budget,
        tuple(sorted(_marked(points), key=lambda p: (p.arena_bytes, -p.contribution))),
        len(tasks),
        complete,
        contribution is not None,
        time.perf_counter() - start,
    )


def _require_given(
    batches: object,
    optimizers: object,
    rooms: object,
    contribution: object,
    seconds: object,
    tell: object,
    stop: object,
) -> None:
    """Raise ``InvalidInput`` for an argument of the wrong kind."""
    rules = (SGD, Adam, RMSProp)
    for field, values, good, fix in (
        ("batches", batches, lambda v: type(v) is int and v >= 1, "give whole numbers >= 1, as [1, 8]"),
        (
            "optimizers",
            optimizers,
            lambda v: isinstance(v, rules),
            "give a list, as [sv.SGD(lr=0.1), sv.Adam(lr=1e-3)]",
        ),
        ("rooms", rooms, lambda v: isinstance(v, int | float) and 0 < v < 1, "give shares between 0 and 1, as [0.7]"),
    ):
        if values is None and field != "rooms":
            continue
        if not isinstance(values, list | tuple) or not all(map(good, values)):
            raise InvalidInput(field, values, fix)
    if contribution is not None and not isinstance(contribution, Mapping):
        raise InvalidInput("contribution", f"of type {type(contribution).__name__}", "give a score for each state name")
    if seconds is not None and (isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds >= 0):
        raise InvalidInput("seconds", seconds, "give a number >= 0, or None for as long as it takes")
    if not callable(stop) or not (tell is None or callable(tell)):
        raise InvalidInput("stop" if not callable(stop) else "tell", "no function", "give a function, or leave it out")


def _updates(captured: Captured) -> list[str]:
    """Everything, the biases, the last layer; then every other number of last layers, intervals halved."""
    count = trained_layers(captured)
    found, intervals = ["full", "bias", *(["last:1"] if count > 1 else [])], [(1, count)]
    for low, high in intervals:
        if high - low > 1:
            middle = (low + high) // 2
            found.append(f"last:{middle}")
            intervals += [(low, middle), (middle, high)]
    return found


def _norms(attempts: Attempts) -> list[str]:
    """Those that the model can be planned with in the same mode: frozen, and folded where that changes it."""
    own = attempts.own
    folded = attempts.captured(own.micro_batch, "folded")
    return [own.norms] if folded is None or not folded.folds else [own.norms, "folded"]


def _checked(captured: Captured, updates: Sequence[str]) -> list[str]:
    if not isinstance(updates, list | tuple) or not updates or not all(isinstance(u, str) for u in updates):
        raise InvalidInput("updates", updates, 'give a list, as ["full", "last:2", "bias"]')
    for update in updates:
        select(captured, update)
    return list(updates)


def _require_scores(contribution: Mapping[str, float], captured: Captured) -> None:
    for name, score in contribution.items():
        if name not in captured.trainable:
            raise InvalidInput("contribution", name, "name parameters that have requires_grad")
        if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score < inf:
            raise InvalidInput(f"contribution {name}", score, "give a finite number >= 0")
    if not sum(contribution.values()):
        raise InvalidInput("contribution", "0 in all", "give a score > 0")


def _point(
    plan: Plan,
    task: Task,
    own: Terms,
    budget: Budget,
    contribution: Mapping[str, float] | None,
    whole: int | None,
    names: Mapping[Optimizer, str],
) -> Point:
    """``whole``: parameters that can learn, where no contribution tells what they are worth."""
    programs, memory = plan.arrangement.programs, plan.arrangement.memory
    step = plan.cost
    terms = task.terms
    if task.room == "plain":
        apply = replace(terms, trade=NOTHING).apply(own)
    else:
        apply = {**terms.apply(own), "budget": plan.budget}
    return Point(
        terms.update,
        terms.batch,
        names[terms.optimizer],
        terms.optimizer,
        apply,
        memory.arena,
        memory.flash,
        sum(p.saved.again for p in programs.values() if p.saved),
        step.seconds,
        step.joules,
        learnt(plan),
        min(1.0, learnt(plan) / whole) if whole else learnt_share(plan, contribution),
        fits(replace(plan, budget=budget)) and (task.room == "plain" or plan.budget.ram <= budget.ram),
        terms.norms,
    )


def _named(optimizers: Sequence[Optimizer]) -> dict[Optimizer, str]:
    """Each once, by what is not as it is by default; by its rate or all that it is too, where others read the same."""
    each = dict.fromkeys(optimizers)
    ways = rule, lambda o: f"{rule(o)}, lr {o.lr:g}", repr
    return {o: next(w(o) for w in ways if w is repr or [w(q) for q in each].count(w(o)) == 1) for o in each}


def _marked(points: Sequence[Point]) -> Iterator[Point]:
    """``points``, those that no other of their batch and optimiser beats marked as best; the first of equals."""
    for i, p in enumerate(points):
        alike = [j for j, q in enumerate(points) if (q.batch, q.rule) == (p.batch, p.rule) and j != i]
        yield replace(p, best=not any(_beats(points[j], p, first=j < i) for j in alike))


def _beats(q: Point, p: Point, first: bool) -> bool:
    """Is ``q`` nowhere worse than ``p``, and somewhere better, or the same and ``first``?"""
    signs = [
        _sign(q.arena_bytes, p.arena_bytes),
        _sign(q.seconds or 0.0, p.seconds or 0.0),
        _sign(q.joules or 0.0, p.joules or 0.0),
        -_sign(q.contribution, p.contribution),
    ]
    return max(signs) <= 0 and (min(signs) < 0 or first)


def _sign(a: float, b: float) -> int:
    return 0 if abs(a - b) <= EQUAL * max(abs(a), abs(b)) else 1 if a > b else -1
