"""Every network of the zoo, planned as it is: what is in passing against the bounds of its order and of every order."""

from __future__ import annotations

from typing import Any

import selvedge as sv
from selvedge import zoo

LAST = 3  # layers to train beside all of them; fewer where a network has no more
BATCHES = (1, 8)
NORMS = ("frozen", "folded")
ABOVE = 1.02  # of the bound of the chosen order
# Room for any of them; no time table of some machine: the same plans everywhere.
DEVICE = sv.Device(name="room for all", ram="64GiB", flash="4GiB", vector_bytes=32)
PLAIN = sv.Trade(stream=False, recompute=False)


def prove() -> dict[str, Any]:
    """A row a network; the counts over all of them.

    Raises ``AssertionError`` where a plan lies above 1.02 of the bound of its order and is not proven to be the best
    placement of it.
    """
    rows, plans, at_every = [], 0, 0
    for name in zoo.names():
        made, count, best = row(name)
        rows.append(made)
        plans += count
        at_every += best
        print(made, flush=True)
    return {"plans": plans, "at_the_bound_of_every_order": at_every, "rows": rows}


def row(name: str) -> tuple[dict[str, Any], int, int]:
    """One network's row; its plans, and how many of them no order could better. Raises as :func:`prove`."""
    worst, slowest, kernels, plans, at_every = 1.0, 0.0, 0, 0, 0
    for norms in NORMS:
        for update in ("full", f"last:{min(LAST, layers(name) - 1)}"):
            for batch in BATCHES:
                plan = planned(name, norms, update, batch)
                for label, p in plan.arrangement.programs.items():
                    above = p.transient_bytes / max(1, p.bound_bytes)
                    fine = above <= ABOVE or p.placed_bound_bytes >= p.transient_bytes
                    assert fine, f"{name}, {norms}, {update}, batch {batch}, {label}: {above:.4f} of its bound"
                    worst = max(worst, above)
                plans += 1
                at_every += plan.arrangement.backward.proven
                slowest = max(slowest, plan.seconds_to_plan)
                kernels = max(kernels, len(plan.arrangement.backward.kernels))
    made = {"model": name, "worst": round(worst, 4), "kernels": kernels, "seconds_to_plan": round(slowest, 1)}
    return made, plans, at_every


def planned(name: str, norms: str, update: str, batch: int) -> sv.Plan:
    model, example, loss = zoo.make(name)
    return sv.plan(
        model.eval(), example, loss=loss, device=DEVICE, norms=norms, update=update, batch=batch, trade=PLAIN,
        optimizer=sv.SGD(lr=0.01, momentum=0.9), name=name,
    )  # fmt: skip


def layers(name: str) -> int:
    """Of the network: modules with parameters of their own."""
    model = zoo.make(name)[0]
    return sum(next(module.parameters(recurse=False), None) is not None for module in model.modules())
