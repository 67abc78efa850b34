"""Training with the optimiser's state in fewer bytes: what it takes, and what it costs in accuracy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import cos, pi
from statistics import mean, stdev
from typing import Any

import numpy as np
import torch

import selvedge as sv
from selvedge.face.demo.camera import Camera
from selvedge.face.demo.digits import load
from selvedge.face.demo.model import PREPROCESS, DigitNet

from .peers import Failed

OPTIMIZERS: dict[str, tuple[Any, float]] = {
    "SGD, momentum 0.9": (sv.SGD(lr=0.02, momentum=0.9), 0.02),
    "Adam": (sv.Adam(lr=3e-3), 3e-3),
}
STATES = (None, "bfloat16", "int8")
SEEDS, EPOCHS, BATCH = range(5), 12, 16
DEVICE = sv.Device(name="bench", ram="1GiB", flash="1GiB", vector_bytes=32)


def run(models: Sequence[str] = (), quick: bool = False) -> Iterator[dict[str, Any]]:
    """A row an optimiser and type of state: the demo's network on scikit-learn's digits, from the start, five seeds;
    the rate falls along a cosine. ``models`` are of the zoo and change nothing here."""
    seeds, epochs = (SEEDS[:2], 2) if quick else (SEEDS, EPOCHS)
    for name, (optimizer, rate) in OPTIMIZERS.items():
        for state in STATES:
            chosen = replace(optimizer, state_dtype=state)
            plan = sv.plan(DigitNet().eval(), torch.zeros(BATCH, 1, 8, 8), device=DEVICE, optimizer=chosen)
            found = sv.measured(plan)
            if found.faults:
                raise Failed(f"{name}, {state}: {found.faults[0]}")
            ends = [trained(sv.compile(plan), seed, epochs, rate) for seed in seeds]
            yield {
                "optimizer": name,
                "state": state or "float32",
                "bytes_per_parameter": plan.to_dict()["optimizer_bytes_per_parameter"],
                "planned": plan.arena_bytes,
                "measured": found.arena,
                "persistent": plan.persistent_bytes,
                "transient": plan.transient_bytes,
                "accuracy": [right for right, _ in ends],
                "loss": [loss for _, loss in ends],
            }


def trained(session: sv.Session, seed: int, epochs: int, rate: float) -> tuple[float, float]:
    """(right of the held-out digits, mean loss of the last epoch)."""
    data = load(seed)
    train, held = (data.photos(part, Camera()) for part in (data.train, data.held_out))
    x, y = PREPROCESS(train.codes), train.labels
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        session.load_state_dict(DigitNet().state_dict())
    order, steps = np.random.default_rng(seed), epochs * (len(x) // BATCH)
    losses: list[float] = []
    for _ in range(epochs):
        shuffled = order.permutation(len(x))
        for rows in np.split(shuffled[: len(x) // BATCH * BATCH], len(x) // BATCH):
            lr = rate * 0.5 * (1 + cos(pi * len(losses) / steps))
            losses.append(session.step(x[rows], y[rows], lr=lr))
    seen = PREPROCESS(held.codes)
    filled = np.concatenate([seen, seen[: -len(seen) % BATCH]])
    found = np.concatenate([session.predict(part).argmax(1) for part in np.split(filled, len(filled) // BATCH)])
    right = found[: len(seen)] == held.labels
    return float(right.mean()), mean(losses[-(len(x) // BATCH) :])


def line(row: dict[str, Any]) -> str:
    """One row for the eye, while the others are made."""
    return f"{row['optimizer']}, {row['state']}: {spread(row['accuracy'])} right, {row['persistent']:,} B that learn"


def slower(rows: Sequence[dict[str, Any]]) -> list[str]:
    """What breaks the table's promise: bytes that were not planned."""
    odd = [r for r in rows if r["planned"] != r["measured"]]
    return [f"{r['optimizer']}, {r['state']}: not as planned" for r in odd]


def spread(shares: Sequence[float]) -> str:
    """Mean and standard deviation of shares, in percent."""
    points = [100 * share for share in shares]
    return f"{mean(points):.2f} ± {stdev(points):.2f} %"


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown."""
    lines = [
        "| optimiser | its state | state B a parameter | learns B | in passing B | arena measured B "
        "| right, five seeds | last epoch's loss |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for r in rows:
        lines.append(
            f"| {r['optimizer']} | {r['state']} | {r['bytes_per_parameter']:.3f} | {r['persistent']:,} "
            f"| {r['transient']:,} | {r['measured']:,} | {spread(r['accuracy'])} | {mean(r['loss']):.4f} |"
        )
    return "\n".join(lines)
