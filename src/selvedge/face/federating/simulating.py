"""The work of ``selvedge federate simulate``: data, plans, devices in virtual time, and what came of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...artifact import files
from ...errors import InvalidInput
from ...federate.coordinator import Closed, Event
from ...federate.course import Move
from ...federate.deal import deal
from ...federate.server import Server
from ...federate.world import Halted, Hardware, World
from ...make.compile import HostSession, emit
from ...make.compile import compile as compile_plan
from ...make.plan import Plan
from ...run.session import Session
from ..held import held
from ..interrupt import Interrupted
from ..job import Job, prepare
from ..progress import Work
from ..stopping import stopping
from ..training import write_state
from . import page
from .beginning import check
from .judging import Judge
from .kind import Kind
from .planning import plans
from .report import Report
from .view import View
from .wish import Wish, asked, keep

JOURNAL, MODEL, STATE, STATED = "journal", "model", "model.npz", "privacy.json"  # in a run's folder


def simulate(
    wish: Wish, of: Sequence[Kind], out: Path, every: int, debug: bool, silent: bool,
    on_move: Callable[[Move], None],
) -> tuple[Report, tuple[str, ...]]:  # fmt: skip
    """The run in ``out``, from where it was; how it ended, and notes. Raises ``SelvedgeError``, and
    :class:`Interrupted`."""
    with Work(silent) as work, held(debug):
        job = prepare(wish.model, wish.data, wish.shape, wish.loss, wish.seed, work)
        made = plans(wish, of, job, work)
        work.part("compiling")
        sessions = [compile_plan(plan) for plan in made]
        shards = _shards(wish, job)
    settings = wish.federation(len(shards))
    check(settings, of, sessions)
    keep(out, wish)
    hardware = [
        Hardware(kind.name, session, plan.cost.seconds or 0.0, plan.cost.joules, wish.link)
        for kind, session, plan in zip(of, sessions, made, strict=True)
    ]
    judge = Judge(job.data)
    with asked():
        kinds = [i % len(of) for i in range(len(shards))]
        world = World(hardware, shards, kinds, settings, out / JOURNAL, faults=wish.bad(), spread=wish.spread)
    try:
        with stopping() as stop, View(silent) as view:
            report = _run(world, len(shards), out, every, view, stop, on_move, judge.held_out)
    except Halted:
        told = f"after {world.coordinator.version} of {wish.rounds} rounds"
        raise Interrupted(f"interrupted {told}: they are in {out}; the same line goes on from there") from None
    finally:
        world.close()
    report = ended(report, sessions[0], made[0], judge, out)
    return report, tuple(_notes(job, of, made))


def _run(
    world: World, known: int, out: Path, every: int, view: View, stop: Callable[[], bool],
    on_move: Callable[[Move], None], evaluate: Callable[[Session], tuple[float, float | None]],
) -> Report:  # fmt: skip
    def now(server: Server) -> Report:
        return Report.now(
            "simulated", world.coordinator, world.course, known, server.up_bytes, server.down_bytes, server.refused,
            world.faults, privacy=world.statement,
        )  # fmt: skip

    if world.resumed:
        view.note(f"went on behind round {world.coordinator.version}")
        for move in world.course.moves:
            on_move(move)

    def heard(event: Event, server: Server) -> None:
        if isinstance(event, Closed):
            now(server).write(out)
            on_move(world.course.moves[-1])
        if view.due:
            view.at(now(server))

    return now(world.run(evaluate, every, on_event=heard, stop=stop))


def ended(report: Report, session: HostSession, plan: Plan, judge: Judge | None, out: Path) -> Report:
    """With the test; and all that a run leaves behind is written."""
    if judge is not None:
        report = replace(report, test=judge.test(session))
    emit(plan, "c", out / MODEL, learnt=session)
    write_state(out / STATE, session)
    if report.privacy:
        files.write(out / STATED, (json.dumps(report.privacy, indent=1) + "\n").encode())
    report.write(out)
    page.write(report, out)
    return report


def _shards(wish: Wish, job: Job) -> list[tuple[np.ndarray, np.ndarray]]:
    train = job.data.part("train")
    _, y = train.take(np.arange(len(train)))
    groups = None if job.data.groups is None else np.asarray(job.data.groups)[train.rows]
    rows = deal(wish.split, wish.clients, y if job.data.labels else None, groups, len(train), wish.seed)
    if wish.per_round > len(rows):
        raise InvalidInput("--per-round", wish.per_round, f"there are {len(rows)} devices: give at most that")
    if wish.least > len(rows):
        raise InvalidInput("--least", wish.least, f"there are {len(rows)} devices: give at most that")
    return [_pair(job, part) for part in rows]


def _pair(job: Job, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    x, y = job.data.part("train").take(rows)
    return x, x if y is None else y


def _notes(job: Job, of: Sequence[Kind], made: Sequence[Plan]) -> list[str]:
    told = [*job.notes()]
    for kind, plan in zip(of, made, strict=True):
        if plan.cost.seconds is None:
            told.append(f"{kind.name} has no figures of time: its steps take none here")
    return told
