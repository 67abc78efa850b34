"""Ways in which one network may learn within a budget, and what each makes of a person: in compiled code behind
walls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

import selvedge as sv
from selvedge.make.searching.figures import Figures
from selvedge.make.searching.material import Person
from selvedge.make.searching.walled import walled
from selvedge.run.calls import NotFinite

LIGHT = sv.Trade(int8_activations=True, least=True)


@dataclass(frozen=True, slots=True)
class Way:
    """``update``: as of ``sv.plan``; ``lighter``: whether the plan keeps activations in 8 bits and makes values again
    for the fewest bytes."""

    update: str
    lighter: bool
    plan: sv.Plan


def ways(net: nn.Module, example: torch.Tensor, device: sv.Device, rate: float) -> Iterator[Way]:
    """Every way of a float network that fits ``device``: the last layers, as many as there are; the biases; those and
    the last layer; that and an eighth, a quarter and a half of what the layer before it reads; what "auto" takes; and
    the larger ones in a lighter plan."""
    layers = [n for n, m in net.named_modules() if isinstance(m, nn.Conv1d | nn.Conv2d | nn.Linear)]
    last, before = layers[-1], layers[-2]
    updates = ["full", *(f"last:{k}" for k in range(len(layers) - 1, 0, -1)), "bias", f"*.bias,{last}.weight"]
    updates += [f"{last}.*,{before}.weight[:{share}]" for share in ("13%", "25%", "50%")] + ["auto"]
    found: set[tuple[str, ...]] = set()
    for update in updates:
        for lighter in (False, True) if update in ("full", f"last:{len(layers) - 1}") else (False,):
            try:
                plan = sv.plan(
                    net, example, device=device, update=update, optimizer=sv.SGD(rate), norms="folded",
                    trade=LIGHT if lighter else None,
                )  # fmt: skip
            except sv.DoesNotFit:
                continue
            if plan.updated not in found:  # "auto" may take what was there; the lighter plan of what fits is the same
                found.add(plan.updated)
                yield Way(update, lighter, plan)


def told(
    plan: sv.Plan, limits: sv.Limits, people: Sequence[Person], rate: float, counts: Sequence[int], seed: int
) -> dict[int, list[np.ndarray]]:
    """count -> for each person bool [tests], whether the answer behind so many samples was right: 0 is before any.

    Samples come in the order in which :mod:`selvedge.make.searching.learning` has them: all of a person's own earlier
    ones, drawn anew when they are through. The arena has the bytes of ``limits`` and not one more; of what runs in the
    bytes to run, prediction has those.
    """
    assert limits.run is not None
    assert limits.train is not None
    run = limits.run if Figures.of(plan).run_bytes <= limits.run else limits.train
    session = walled(plan, run, limits.train)
    start = session.snapshot()
    found: dict[int, list[np.ndarray]] = {0: [], **{count: [] for count in counts}}
    for person in people:
        session.restore(start, 0)
        x, y = person.learn[0].numpy(), person.learn[1].numpy()
        rng = np.random.default_rng([43, seed])
        rows = np.concatenate([rng.permutation(len(y)) for _ in range(-(-max(counts) // len(y)))])
        found[0].append(_right(session, person))
        done = 0
        for count in counts:
            if rate:
                with suppress(NotFinite):
                    for row in rows[done:count]:
                        session.step(x[row : row + 1], y[row : row + 1], lr=rate)
            done = count
            found[count].append(_right(session, person) if rate else found[0][-1])
    return found


def _right(session: sv.Session, person: Person) -> np.ndarray:
    x, y = person.test[0].numpy(), person.test[1].numpy()
    made = np.zeros(len(y), bool)
    for i in range(len(y)):
        with suppress(NotFinite):
            made[i] = session.predict(x[i : i + 1])[0].argmax() == y[i]
    return made
