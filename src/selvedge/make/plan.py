"""The make road's first half: model and device -> a plan that fits, or a refusal that says what would."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.export import ExportedProgram

from ..artifact.preprocess import Preprocess
from ..artifact.schedule import Constant, Schedule
from ..capture import Captured, Programs, capture, programs, select
from ..capture.loss import Loss
from ..capture.loss import loss as loss_by_name
from ..capture.optimizer import SGD, Optimizer
from ..device import Budget, Device
from ..device.sizes import format_bytes
from ..errors import DoesNotFit, InvalidInput
from ..ir import verify
from ..planning.arrange import arrange
from ..planning.check import check
from ..planning.schedule import Arrangement, Choice
from .table import table


@dataclass(frozen=True, slots=True)
class Plan:
    """A training step that fits a device: which calls, at which bytes, at what cost, and why.

    ``arrangement`` holds every kernel and offset; ``updated`` are the PyTorch names that learn. ``print(plan)`` shows
    the table; :func:`selvedge.compile` makes it run here, :func:`selvedge.emit` makes C of it.
    """

    name: str
    captured: Captured
    programs: Programs
    arrangement: Arrangement
    device: Device
    budget: Budget
    loss: Loss
    optimizer: Optimizer
    schedule: Schedule
    update: str
    updated: tuple[str, ...]
    labels: tuple[str, ...]
    preprocess: Preprocess | None
    seconds_to_plan: float

    @property
    def arena_bytes(self) -> int:
        """RAM of one session: persistent plus the largest transient of its programs."""
        return self.arrangement.memory.arena

    @property
    def persistent_bytes(self) -> int:
        """RAM of what learns: parameters and optimiser state."""
        return self.arrangement.memory.persistent

    @property
    def transient_bytes(self) -> int:
        """RAM of activations, gradients and scratch."""
        return self.arrangement.memory.transient

    def to_dict(self) -> dict[str, Any]:
        """The figures, for machines."""
        a, memory = self.arrangement, self.arrangement.memory
        step = a.programs["step"]
        return {
            "model": self.name,
            "device": self.device.name,
            "update": self.update,
            "updated": list(self.updated),
            "arena_bytes": memory.arena,
            "persistent_bytes": memory.persistent,
            "transient_bytes": memory.transient,
            "lower_bound_bytes": memory.bound,
            "lower_bound_any_order_bytes": memory.any_order,
            "weights_bytes": memory.flash,
            "budget_ram_bytes": self.budget.ram,
            "macs": step.macs,
            "bytes_moved": step.bytes_moved,
            "seconds_per_step": step.seconds,
            "joules_per_step": step.joules,
            "nodes": step.nodes,
            "kernels": len(step.kernels),
            "seconds_to_plan": self.seconds_to_plan,
            "programs": {
                n: {
                    "transient_bytes": p.transient_bytes,
                    "lower_bound_bytes": p.bound_bytes,
                    "lower_bound_any_order_bytes": p.any_order_bytes,
                    "macs": p.macs,
                    "kernels": len(p.kernels),
                    "seconds": p.seconds,
                }
                for n, p in a.programs.items()
            },
            "choices": [{"what": c.what, "why": c.why} for c in a.choices],
            "digest": a.digest(),
        }

    def __str__(self) -> str:
        return table(self)


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user asked for: enough to plan again with one thing changed."""

    name: str
    model: nn.Module | ExportedProgram
    example: tuple[torch.Tensor, ...]
    device: Device
    budget: Budget
    loss: Loss
    optimizer: Optimizer
    schedule: Schedule
    update: str
    norms: str
    labels: tuple[str, ...]
    preprocess: Preprocess | None


def plan(
    model: nn.Module | ExportedProgram,
    example: torch.Tensor | tuple[torch.Tensor, ...],
    *,
    loss: str | Loss = "cross_entropy",
    device: Device | str | None = None,
    budget: Budget | str | None = None,
    optimizer: Optimizer | None = None,
    schedule: Schedule | None = None,
    update: str | Sequence[str] = "full",
    norms: str = "frozen",
    batch: int | None = None,
    preprocess: Preprocess | None = None,
    labels: Sequence[str] = (),
    name: str = "model",
) -> Plan:
    """Plan ``predict``, ``evaluate`` and ``step`` of ``model`` on ``device`` within ``budget``.

    model: any module of supported operations, or an exported program. It is not changed.
    example: one input batch [N, ...]; the plan is for exactly this shape. ``batch`` repeats or cuts it to N = batch.
    loss: "cross_entropy", "mse", "bce_with_logits", "reconstruction", or a loss value.
    device: a :class:`Device`, a profile's name or path; by default this machine, measured.
    budget: limits below the device's own, as "ram=48KiB".
    optimizer: ``SGD``, ``Adam`` or ``RMSProp``; by default ``SGD(lr=0.01)``. schedule: by default its constant rate.
    update: "full", "last:K", "bias", names and globs ("head.*,conv1.weight"), or "auto": the most parameters that fit.
    norms: "frozen" (fixed statistics) or "folded" (batch norm folded into the layer before it).

    Raises ``DoesNotFit`` (need, have, the cheapest change that was verified to fit), ``NotSupported`` (operator and
    source line), ``InvalidInput``.
    """
    target = device if isinstance(device, Device) else Device.load(device or "this-machine")
    inputs = (example,) if isinstance(example, torch.Tensor) else tuple(example)
    chosen = optimizer or SGD(lr=0.01)
    limits = Budget.of(target)
    if isinstance(budget, str):
        limits = Budget.parse(budget, limits)
    elif budget is not None:
        limits = budget
    wish = Wish(
        name,
        model,
        inputs if batch is None else _batched(inputs, batch),
        target,
        limits,
        loss_by_name(loss) if isinstance(loss, str) else loss,
        chosen,
        schedule or Constant(chosen.lr),
        update if isinstance(update, str) else ",".join(update),
        norms,
        tuple(labels),
        preprocess,
    )
    return _plan(wish)


def _plan(wish: Wish) -> Plan:
    start = time.perf_counter()
    captured = capture(wish.model, wish.example, norms=wish.norms)
    if wish.update == "auto":
        made = _automatic(wish, captured)
    else:
        made = _attempt(wish, captured)
        over = excess(made)
        if over is not None:
            resource, need, have = over
            raise DoesNotFit(resource, need, have, _cheapest_change(wish, captured))
    check(made.arrangement)
    return replace(made, seconds_to_plan=time.perf_counter() - start)


def _attempt(wish: Wish, captured: Captured, choices: Sequence[Choice] = ()) -> Plan:
    """A plan for ``wish`` as it stands, whether it fits or not."""
    updated = select(captured, wish.update)
    made = programs(captured, wish.loss, wish.optimizer, updated)
    for graph in made.graphs.values():
        verify(graph)
    arrangement = arrange(made.graphs, wish.device, choices)
    return Plan(
        wish.name, captured, made, arrangement, wish.device, wish.budget, wish.loss, wish.optimizer, wish.schedule,
        wish.update, made.updated, wish.labels, wish.preprocess, 0.0,
    )  # fmt: skip


def excess(plan: Plan) -> tuple[str, int, int] | None:
    """(resource, need, have) of the first limit that ``plan`` breaks."""
    memory, budget = plan.arrangement.memory, plan.budget
    if memory.arena > budget.ram:
        return "RAM", memory.arena, budget.ram
    if budget.flash is not None and memory.flash > budget.flash:
        return "flash", memory.flash, budget.flash
    return None


def _automatic(wish: Wish, captured: Captured) -> Plan:
    """The update set of most parameters that fits: everything, else as many last layers as fit, else biases."""
    why: list[Choice] = []

    def attempt(update: str) -> Plan | None:
        made = _attempt(replace(wish, update=update), captured)
        over = excess(made)
        need = format_bytes(made.arrangement.memory.arena)
        verdict = "fits" if over is None else f"does not fit {format_bytes(wish.budget.ram)}"
        why.append(Choice(f"update {update}", f"{len(made.updated)} arrays, needs {need}: {verdict}"))
        return made if over is None else None

    found = attempt("full")
    if found is None:
        # The arena grows with the number of last layers: halve the interval.
        low, high = 0, len(captured.layers)
        while high - low > 1:
            middle = (low + high) // 2
            made = attempt(f"last:{middle}")
            if made is not None:
                low, found = middle, made
            else:
                high = middle
        if found is None:
            found = attempt("bias")
    if found is None:
        least = _attempt(replace(wish, update="last:1"), captured)
        resource, need, have = excess(least) or ("RAM", least.arrangement.memory.arena, wish.budget.ram)
        raise DoesNotFit(resource, need, have, _cheapest_change(replace(wish, update="last:1"), captured))
    chosen = Choice("chosen", f"{found.update}: the most parameters that fit")
    return replace(found, arrangement=replace(found.arrangement, choices=(*why, chosen)))


def _cheapest_change(wish: Wish, captured: Captured) -> str | None:
    """The change that gives up least, verified by planning it: a smaller batch, then an optimiser without state, then
    fewer arrays to update; if none is enough alone, all of them together. None if nothing fits."""
    batch = wish.example[0].shape[0]
    smaller = batch // 2
    while smaller >= 1:
        try:
            other = replace(wish, example=_batched(wish.example, smaller))
            if excess(_attempt(other, capture(wish.model, other.example, norms=wish.norms))) is None:
                return f"batch {smaller} instead of {batch}"
        except InvalidInput:
            break
        smaller //= 2
    plain = replace(wish, optimizer=SGD(lr=wish.optimizer.lr))
    if wish.optimizer != plain.optimizer and excess(_attempt(plain, captured)) is None:
        return "plain SGD instead of " + _spell(wish.optimizer)
    fewer = _fewer(wish, captured)
    if fewer is not None:
        return f"update {fewer} instead of {wish.update}"
    fewer = _fewer(plain, captured)
    if fewer is not None:
        return f"plain SGD and update {fewer}"
    if batch > 1:
        least = replace(plain, example=_batched(wish.example, 1))
        fewer = _fewer(least, capture(wish.model, least.example, norms=wish.norms))
        if fewer is not None:
            return f"batch 1, plain SGD and update {fewer}"
    return None


def _fewer(wish: Wish, captured: Captured) -> str | None:
    """The largest of "last:K" and "bias" below ``wish.update`` that fits."""
    now = set(select(captured, wish.update))
    low, high = 0, len(captured.layers)
    while high - low > 1:
        middle = (low + high) // 2
        if excess(_attempt(replace(wish, update=f"last:{middle}"), captured)) is None:
            low = middle
        else:
            high = middle
    if low and set(select(captured, f"last:{low}")) != now:
        return f"last:{low}"
    try:
        if set(select(captured, "bias")) < now and excess(_attempt(replace(wish, update="bias"), captured)) is None:
            return "bias"
    except InvalidInput:  # a model without biases
        return None
    return None


def _spell(optimizer: Optimizer) -> str:
    return type(optimizer).__name__ + (" with momentum" if getattr(optimizer, "momentum", 0) else "")


def _batched(example: tuple[torch.Tensor, ...], batch: int) -> tuple[torch.Tensor, ...]:
    """``example`` repeated or cut to ``batch`` samples."""
    if batch < 1:
        raise InvalidInput("batch", batch, "give a whole number >= 1")
    rows = example[0].shape[0]
    index = torch.arange(batch) % rows
    return tuple(x[index] for x in example)


def initial_state(plan: Plan) -> dict[str, np.ndarray]:
    """Every state array of the plan in its stored layout: the model's weights and a fresh optimiser."""
    state: Mapping[str, np.ndarray] = {**plan.captured.stored(), **plan.programs.optimizer_state}
    return {name: state[name] for name in plan.arrangement.slots}


def load_exported(path: str | Path) -> ExportedProgram:
    """An exported program from a ``.pt2`` file. Raises :class:`InvalidInput`."""
    try:
        return torch.export.load(str(path))
    except Exception as error:
        raise InvalidInput("model file", path, f"not an exported program ({str(error).splitlines()[0]})") from None
