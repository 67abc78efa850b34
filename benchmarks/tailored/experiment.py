"""A case is a task, a seed and a fold of people whom nothing has met; the search is :func:`selvedge.compress` on all
the others.

What it returns is to run in 64 KiB and to train in 128 KiB. Against it stands the network that is most accurate as
shipped of those that run in as much, in its own best adaptation within the same bytes to train: more ways of learning
are tried for it than the search has. People of the other side choose all of it; both learn 600 samples of a new person
and are judged on later ones.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

import selvedge as sv
from selvedge.make.room import roomy
from selvedge.make.searching.candidate import FLOAT
from selvedge.make.searching.figures import Figures
from selvedge.make.searching.learning import RATES, learnt
from selvedge.make.searching.material import Material, material, person
from selvedge.make.searching.surest import surest

from .adapting import told, ways
from .settings import settings
from .tasks import TASKS, newcomers

SEARCHED, BESIDE = "search", "beside"
LEARN, PREDICT = "chosen to learn", "chosen to predict"
BOTH = f"{PREDICT}, in ways that run in as much"
KIB = 1024
Case = Mapping[str, Any]
Row = Mapping[str, Any]
Networks = Mapping[str, Mapping[str, float]]


def case(name: str, seed: int, fold: int, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """One fold, as plain data; "right": by count of samples, a bit a test, 1 where it was told right, in base64, of all
    people of the fold in turn. given: settings other than those of the file. "seconds": of the processor."""
    torch.set_num_threads(1)
    start, task, chosen = time.process_time(), TASKS[name], dict(given or settings(name))
    x, y, who = task.data()
    new = newcomers(who, chosen["folds"], fold)
    others = ~np.isin(who, new)
    own, whose, count = (x[others], y[others]), who[others], chosen["judges"]
    device = sv.Device(name="board", ram=chosen["train"], flash=chosen["flash"])
    found = sv.compress(
        sv.Space(task.make, width=tuple(chosen["widths"])), own, who=whose, judges=count, device=device,
        budget=f"run={chosen['run']},train={chosen['train']}", bits=chosen["bits"], learn=chosen["learn"],
        epochs=chosen["epochs"], lr=chosen["lr"], batch=chosen["batch"], keep=len(chosen["widths"]),
        finalists=len(chosen["widths"]), distil=False, seed=seed,
    )  # fmt: skip
    judges = material(own, whose, count, seed)
    people = [person(str(p), x, y, np.flatnonzero(who == p)) for p in new]
    networks = _networks(found, device)
    rows, plans = _rows(found, judges, networks, device, chosen, seed)
    limits, tests = found.limits, len(judges.test[1])
    assert limits.run is not None
    assert limits.train is not None
    both = {which: picked(rows, networks, which, limits.run, limits.train, tests) for which in (LEARN, PREDICT)}
    for i, (row, plan) in enumerate(zip(rows, plans, strict=True)):
        row["right"] = _bits(told(plan, limits, people, row["rate"], chosen["counts"], seed))
        if i in both.values():
            row["judged"] = _shares(told(plan, limits, judges.people, row["rate"], chosen["counts"], seed))
    common = int(np.bincount(own[1]).argmax())
    return {
        "task": name, "seed": seed, "fold": fold, "settings": chosen, "people": new,
        "judges": [int(p.name) for p in judges.people], "judged": tests,
        "samples": [int(others.sum()), [len(p.learn[1]) for p in people], [len(p.test[1]) for p in people]],
        "dummy": [float((p.test[1].numpy() == common).mean()) for p in people],
        "networks": networks, "rows": rows, "returned": found.best.name,
        "seconds": round(time.process_time() - start, 1),
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Point:
    """A row as :func:`surest` reads it."""

    at: int
    learnt: float
    brier: float
    train_bytes: int


def picked(rows: Sequence[Row], networks: Networks, which: str, run: int, train: int, tests: int) -> int | None:
    """The number of the row that is taken under a budget. To learn: what :func:`selvedge.compress` takes of its own,
    the surest behind learning of the most accurate that keep both. To predict: of the network that ships best of those
    whose prediction alone takes ``run`` bytes, in the same way, of all rows, the search's and those beside it, that
    train in ``train`` bytes; or, as :data:`BOTH`, that also run in ``run`` bytes. None where nothing fits."""
    if which == LEARN:
        able = [i for i, r in enumerate(rows) if r["from"] == SEARCHED and r["run"] <= run and r["train"] <= train]
    else:
        able = [i for i, r in enumerate(rows) if networks[r["network"]]["predicts"] <= run and r["train"] <= train]
        top = max((rows[i]["network"] for i in able), key=lambda n: _ships(networks, n), default="")
        able = [i for i in able if rows[i]["network"] == top and (which == PREDICT or rows[i]["run"] <= run)]
    points = [_Point(i, rows[i]["learnt"], rows[i]["brier"], rows[i]["train"]) for i in able]
    return surest(points, tests).at if points else None


def _ships(networks: Networks, name: str) -> tuple[float, float]:
    return networks[name]["shipped"], -networks[name]["predicts"]


def budgets(chosen: Mapping[str, Any]) -> list[tuple[int, int]]:
    """(to run, to train) of the sweep, in bytes."""
    return [(size * KIB // 2, size * KIB) for size in chosen["sweep"]]


def _rows(
    found: sv.Compressed, judges: Material, networks: Networks, device: sv.Device, chosen: Mapping[str, Any], seed: int
) -> tuple[list[dict[str, Any]], list[sv.Plan]]:
    """All that the search has measured, and of what ships best every other way to learn; and their plans."""
    rows: list[dict[str, Any]] = [
        {"network": c.architecture, "from": SEARCHED, "bits": c.bits, "update": c.update, "bounded": c.bounded,
         "lighter": False, "run": c.figures.run_bytes, "train": c.figures.train_bytes, "learns": c.figures.learns,
         "shipped": c.shipped, "learnt": c.learnt, "brier": c.brier, "rate": c.rate}
        for c in found.candidates
    ]  # fmt: skip
    plans = [found.take(c)[1] for c in found.candidates]
    top = max(networks, key=lambda n: _ships(networks, n))
    net = found.take(next(c for c in found.candidates if (c.architecture, c.bits) == (top, FLOAT)))[0]
    known = {(row["update"], row["bounded"]) for row in rows if (row["network"], row["bits"]) == (top, FLOAT)}
    for way in ways(net, judges.train[0][:1], device, RATES[0]):
        if (way.update, way.bounded) in known and not way.lighter:
            continue
        at, figures = learnt(way.plan, judges, chosen["learn"], seed, lambda: None), Figures.of(way.plan)
        rows.append(
            {"network": top, "from": BESIDE, "bits": FLOAT, "update": way.update, "bounded": way.bounded,
             "lighter": way.lighter, "run": figures.run_bytes, "train": figures.train_bytes, "learns": figures.learns,
             "shipped": at.shipped, "learnt": at.learnt, "brier": at.brier, "rate": at.rate}
        )  # fmt: skip
        plans.append(way.plan)
    return rows, plans


def _networks(found: sv.Compressed, device: sv.Device) -> dict[str, dict[str, float]]:
    """By name: the RAM of a program that only predicts, and what people of the other side say of it as shipped."""
    made = {}
    for c in found.candidates:
        if c.bits == FLOAT and c.architecture not in made:
            net, plan = found.take(c)
            alone = sv.plan_inference(net, torch.zeros(plan.captured.layouts["x"].face), device=roomy(device))
            made[c.architecture] = {"predicts": alone.arena_bytes, "shipped": c.shipped}
    return made


def _bits(found: Mapping[int, Sequence[np.ndarray]]) -> dict[str, str]:
    return {str(n): base64.b64encode(np.packbits(np.concatenate(each)).tobytes()).decode() for n, each in found.items()}


def _shares(found: Mapping[int, Sequence[np.ndarray]]) -> dict[str, float]:
    return {str(n): float(np.concatenate(each).mean()) for n, each in found.items()}
