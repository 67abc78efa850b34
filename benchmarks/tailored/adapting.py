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
from selvedge.make.searching.candidate import BOUND
from selvedge.make.searching.figures import Figures
from selvedge.make.searching.learning import stages
from selvedge.make.searching.material import Person
from selvedge.make.searching.walled import walled
from selvedge.run.ports import NotFinite

LIGHT = sv.Trade(int8_activations=True, least=True)


@dataclass(frozen=True, slots=True)
class Way:
    """``update``: as of ``sv.plan``; ``bounded``: as of :class:`selvedge.Candidate`; ``lighter``: whether the plan
    keeps activations in 8 bits and makes values again for the fewest bytes."""

    update: str
    bounded: bool
    lighter: bool
    plan: sv.Plan


def ways(net: nn.Module, example: torch.Tensor, device: sv.Device, rate: float) -> Iterator[Way]:
    """Every way of a float network that fits ``device``: the last layers, as many as there are, the most of them also
    with bounded gradients; the biases; those and the last layer; that and an eighth, a quarter and a half of what the
    layer before it reads; what "auto" takes; and the larger ones in a lighter plan."""
    layers = [n for n, m in net.named_modules() if isinstance(m, nn.Conv1d | nn.Conv2d | nn.Linear)]
    last, before = layers[-1], layers[-2]
    updates = ["full", *(f"last:{k}" for k in range(len(layers) - 1, 0, -1)), "bias", f"*bias,{last}.weight"]
    updates += [f"{last}.*,{before}.weight[:{share}]" for share in ("13%", "25%", "50%")] + ["auto"]
    found: set[tuple[bool, tuple[str, ...]]] = set()
    for update, bounded in [(u, b) for u in updates for b in (False, True)]:
        if bounded and (len(found) != 1 or update == "last:1"):
            continue
        for lighter in (False, True) if update in updates[:2] else (False,):
            try:
                plan = sv.plan(
                    net, example, device=device, update=update, norms="folded", trade=LIGHT if lighter else None,
                    optimizer=sv.SGD(rate, clip_value=BOUND if bounded else None),
                )  # fmt: skip
            except sv.DoesNotFit:
                continue
            # "auto" may take what was there; the lighter plan of what fits is the same
            if (bounded, plan.updated) not in found:
                found.add((bounded, plan.updated))
                yield Way(update, bounded, lighter, plan)


def told(
    plan: sv.Plan, limits: sv.Limits, people: Sequence[Person], rate: float, counts: Sequence[int], seed: int
) -> dict[int, list[np.ndarray]]:
    """count -> for each person bool [tests], whether the answer behind so many samples was right: 0 is before any.

    They learn as :mod:`selvedge.make.searching.learning` does: all of a person's own earlier samples, drawn anew when
    they are through, at a rate that falls. The arena has the bytes of ``limits`` and not one more; of what runs in
    the bytes to run, prediction has those.
    """
    assert limits.run is not None
    assert limits.train is not None
    run = limits.run if Figures.of(plan).run_bytes <= limits.run else limits.train
    session = walled(plan, run, limits.train)
    start = session.snapshot()
    found: dict[int, list[np.ndarray]] = {0: [], **{count: [] for count in counts}}
    for person in people:
        session.restore(start, 0)
        found[0].append(_right(session, person))
        for count in stages(session, person, counts, rate, seed) if rate else counts:
            found[count].append(_right(session, person) if rate else found[0][-1])
    return found


def _right(session: sv.Session, person: Person) -> np.ndarray:
    x, y = person.test[0].numpy(), person.test[1].numpy()
    made = np.zeros(len(y), bool)
    for i in range(len(y)):
        with suppress(NotFinite):
            made[i] = session.predict(x[i : i + 1])[0].argmax() == y[i]
    return made
