"""One case: a task and a seed."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from selvedge.federate.privacy.randomness import Keystream

from . import membership, seen, together
from .inversion import rows

TASKS = ("dense", "conv", "members", "updates")
COUNT = {"dense": 8, "conv": 4}  # victims of a case
SHADOWS = 12  # models of a case, of which each is attacked by the others
DEVICES, ROUNDS, EPOCHS = 10, 60, 5
NOISE = (None, 0.2, 1.0, 5.0)
CROWD, SUMS, LATE = 64, (1, 8, 20, 64), 20
DRAWN = 0  # the seed whose pictures are kept


def case(task: str, seed: int) -> dict[str, Any]:
    began = time.process_time()
    if task in COUNT:
        found = [row.plain(seed == DRAWN) for row in rows(task, seed, COUNT[task])]
    else:
        found = members(seed) if task == "members" else updates(seed)
    return {"task": task, "seed": seed, "rows": found, "seconds": round(time.process_time() - began, 1)}


def members(seed: int, models: int = SHADOWS, rounds: int = ROUNDS, noises: tuple[float | None, ...] = NOISE) -> list[
    dict[str, Any]
]:  # fmt: skip
    """Who was learnt, asked of final models: each has half of the same digits, and is attacked by its loss, and by the
    other models as shadows."""
    draw = np.random.default_rng([81, seed])
    count = together.EACH * DEVICES
    order = draw.permutation(len(together.digits()[1]))
    pool, others = order[: 2 * count], order[2 * count :]
    inside = np.zeros((models, 2 * count), bool)
    for row in inside:
        row[draw.permutation(2 * count)[:count]] = True
    made = []
    for noise in noises:
        nets = [together.learnt(pool[row], rounds, EPOCHS, noise, 100 * seed + i) for i, row in enumerate(inside)]
        losses, right = (np.stack(part) for part in zip(*(together.losses(net, pool) for net in nets), strict=True))
        test = float(np.mean([together.losses(net, others)[1].mean() for net in nets]))
        train = float(np.mean(right[inside]))
        ways: dict[str, list[tuple[float, float]]] = {"loss": [], "shadows": []}
        for i, own in enumerate(inside):
            rest = np.arange(models) != i
            for way, score in (
                ("loss", membership.by_loss(losses[i])),
                ("shadows", membership.by_shadows(losses[i], losses[rest], inside[rest])),
            ):
                ways[way].append((membership.area(score[own], score[~own]), membership.found(score[own], score[~own])))
        row = {"noise": noise, "train": train, "test": test}
        made.append({**row, **{way: np.round(np.mean(each, 0), 4).tolist() for way, each in ways.items()}})
    return made


def updates(seed: int, crowd: int = CROWD) -> list[dict[str, Any]]:
    """Who was learnt in one round, asked of a device's change, and of what a sum of several says of all of them."""
    draw = np.random.default_rng([82, seed])
    count = together.EACH * crowd
    pool = draw.permutation(len(together.digits()[1]))[: 2 * count]
    devices = together.trainers(pool[:count])
    made = []
    for late in (0, LATE):
        model = together.learnt(pool[:count], late, EPOCHS)
        changes = together.changes(devices, model, late, EPOCHS)
        own = together.gradients(model, pool)
        for size, noise in [*((size, None) for size in SUMS if size <= crowd), (1, 1.0), (min(20, crowd), 1.0)]:
            each = []
            for first in range(0, crowd - size + 1, max(1, (crowd - size) // 8)):
                part = changes[first : first + size]
                whole = (
                    part.mean(0) if noise is None else seen.noised(part, noise, Keystream(f"{seed} {first}".encode()))
                )
                theirs = own[first * together.EACH : (first + size) * together.EACH]
                scores = [membership.by_change(whole, some) for some in (theirs, own[count:])]
                each.append((membership.area(*scores), membership.found(*scores)))
            row = {"round": late, "devices": size, "noise": noise}
            made.append({**row, "change": np.round(np.mean(each, 0), 4).tolist()})
    return made
