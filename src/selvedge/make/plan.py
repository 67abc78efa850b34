"""The make road's first half: model and device -> a plan that fits, or a refusal that says what would."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import inf, prod
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.export import ExportedProgram

from ..artifact.features import Features
from ..artifact.preprocess import Preprocess
from ..artifact.schedule import Schedule
from ..capture import Captured, Programs, capture
from ..capture.loss import Loss
from ..capture.optimizer import Optimizer
from ..device import Budget, Device
from ..device.power import Battery, Solar
from ..device.sizes import format_bytes
from ..errors import DoesNotFit, InvalidInput
from ..planning.check import check
from ..planning.schedule import Arrangement, Choice
from ..planning.trade import Trade
from ..run.session import Session
from .change import changes, trained_layers
from .daily import a_day
from .limits import excess, fits, overdrawn, reserved
from .show import notebook
from .table import table
from .why import why
from .wish import Drafted, Wish, drafted, wished


@dataclass(frozen=True, slots=True, repr=False)
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
    features: Features | None = None
    power: Battery | Solar | None = None

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

    @property
    def why(self) -> tuple[Choice, ...]:
        """A line for each choice made."""
        return why(self)

    def to_dict(self) -> dict[str, Any]:
        """The figures, for machines."""
        a, memory = self.arrangement, self.arrangement.memory
        step, energy = a.programs["step"], self.device.energy
        return {
            "model": self.name,
            "device": self.device.name,
            "loss": type(self.loss).__name__,
            "optimizer": {"name": type(self.optimizer).__name__, **asdict(self.optimizer)},  # type: ignore[call-overload]
            "schedule": self.schedule.to_dict(),
            "batch": self.captured.layouts["x"].face[0],
            "norms": self.captured.norms,
            "update": self.update,
            "updated": list(self.updated),
            "learnt_parameters": sum(self.captured.state[n].size for n in self.updated),
            "parameters": sum(prod(s.shape) for s in a.slots.values() if s.kind == "parameter"),
            "arena_bytes": memory.arena,
            "persistent_bytes": memory.persistent,
            "transient_bytes": memory.transient,
            "lower_bound_bytes": memory.bound,
            "lower_bound_any_order_bytes": memory.any_order,
            "flash_bytes": memory.flash,
            "weights_bytes": memory.weights,
            "code_bytes_estimate": memory.code,
            "budget_ram_bytes": self.budget.ram,
            "reserved_ram_bytes": self.device.reserved_ram,
            "reserved_ram": reserved(self),
            "macs": step.macs,
            "bytes_moved": step.bytes_moved,
            "seconds_per_step": step.seconds,
            "joules_per_step": step.joules,
            "joules_low": energy.low(step.joules) if energy and step.joules is not None else None,
            "joules_high": energy.high(step.joules) if energy and step.joules is not None else None,
            "power": None if self.power is None else str(self.power),
            "a_day": daily.to_dict() if (daily := a_day(self)) is not None else None,
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
            "choices": [{"what": c.what, "why": c.why} for c in self.why],
            "digest": a.digest(),
        }

    def __str__(self) -> str:
        return table(self)

    def __repr__(self) -> str:
        learns = f"{len(self.updated)} arrays learn ({self.update})"
        return f"<Plan {self.name} on {self.device.name}: {self.arena_bytes:,} B of arena, {learns}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: the table, the memory timeline and the costs."""
        return notebook(self)


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
    features: Features | None = None,
    labels: Sequence[str] = (),
    trade: Trade | None = None,
    power: Battery | Solar | None = None,
    name: str = "model",
) -> Plan:
    """Plan ``predict``, ``evaluate`` and ``step`` of ``model`` on ``device`` within ``budget``.

    model: any module of supported operations, or an exported program. It is not changed.
    example: one input batch [N, ...]; the plan is for exactly this shape. ``batch``: N instead of the example's.
    loss: "cross_entropy", "mse", "bce_with_logits", "reconstruction", or a loss value.
    device: a :class:`Device`, a profile's name or path; by default this machine, measured.
    budget: limits below the device's own, as "ram=48KiB".
    optimizer: ``SGD``, ``Adam`` or ``RMSProp``; by default ``SGD(lr=0.01)``. schedule: by default its constant rate.
    update: "full", "last:K", "bias", names and globs ("head.*,conv1.weight"), or "auto": everything if that fits, else
        the most last layers that do, else the biases.
    trade: what may be given for bytes where a program is too large for the budget: by default values are made again,
        in at most twice the time. See :class:`Trade`.
    power: what the device lives on: a day of it is a limit of the budget, and the plan says how many steps it affords.
    labels: the classes' names, one each; they travel in the artifact.
    features: how a file becomes a sample, as :func:`selvedge.data.load` found it; it travels in the manifest.
    norms: "frozen" (fixed statistics) or "folded" (batch norm folded into the layer before it).

    Raises ``DoesNotFit`` (need, have, up to three changes that were planned and fit), ``NotSupported`` (operator and
    source line), ``InvalidInput``.
    """
    return _plan(
        wished(
            model, example, loss=loss, device=device, budget=budget, optimizer=optimizer, schedule=schedule,
            update=update, norms=norms, batch=batch, preprocess=preprocess, features=features, labels=labels,
            trade=trade, power=power, name=name,
        )
    )  # fmt: skip


def _plan(wish: Wish) -> Plan:
    start = time.perf_counter()
    captured = capture(wish.model, wish.example, norms=wish.norms)
    made = _automatic(wish, captured) if wish.update == "auto" else _kept(attempt(wish, captured), wish, captured)
    check(made.arrangement)
    return replace(made, seconds_to_plan=time.perf_counter() - start)


def _kept(made: Plan, wish: Wish, captured: Captured) -> Plan:
    """``made`` if it keeps its budget; else the refusal."""
    over = excess(made)
    if over is not None:
        raise DoesNotFit(*over, *changes(wish, made, attempt, captured))
    late = overdrawn(made)
    if late is not None:
        raise late
    return made


def attempt(wish: Wish, captured: Captured, known: Drafted | None = None) -> Plan:
    """A plan for ``wish`` as it stands, whether it fits or not. known: its draft, where that was made before."""
    made = known or drafted(wish, captured)
    latency = inf if wish.budget.latency_s is None else wish.budget.latency_s
    arrangement = made.draft.arranged(room=wish.budget.ram, latency=latency, trade=wish.trade)
    return Plan(
        wish.name, captured, made.programs, arrangement, wish.device, wish.budget, wish.loss, wish.optimizer,
        wish.schedule, wish.update, made.programs.updated, wish.labels, wish.preprocess, 0.0, wish.features, wish.power,
    )  # fmt: skip


_REASONS = {
    "full": "everything fits",
    "last": "as many last layers as fit",
    "bias": "not even the last layer fits, the biases do",
}


def _automatic(wish: Wish, captured: Captured) -> Plan:
    """The first that fits of: everything, as many last layers as fit, the biases."""
    tried: list[Choice] = []

    def probe(update: str) -> Plan | None:
        try:
            made = attempt(replace(wish, update=update), captured)
        except InvalidInput:
            if update == "full":
                raise
            return None  # a model without biases, say
        need = format_bytes(made.arrangement.memory.arena)
        tried.append(Choice(f"update {update}", f"{len(made.updated)} arrays, needs {need}: {_verdict(made)}"))
        return made if fits(made) else None

    found = probe("full")
    if found is None:
        # The arena grows with the number of last layers: halve the interval.
        low, high = 0, trained_layers(captured) + 1
        while high - low > 1:
            middle = (low + high) // 2
            made = probe(f"last:{middle}")
            if made is not None:
                low, found = middle, made
            else:
                high = middle
    if found is None:
        found = probe("bias")
    if found is None:
        least = replace(wish, update="last:1")
        return _kept(attempt(least, captured), least, captured)
    chosen = Choice("chosen", f"{found.update}: {_REASONS[found.update.partition(':')[0]]}")
    return replace(found, arrangement=replace(found.arrangement, choices=(*tried, chosen)))


def _verdict(made: Plan) -> str:
    over, late = excess(made), overdrawn(made)
    if over is not None:
        return f"does not fit {format_bytes(over[2])}" + (" of flash" if over[0] == "flash" else "")
    return "fits" if late is None else f"breaks the {late.field}"


def initial_state(plan: Plan) -> dict[str, np.ndarray]:
    """Every state array of the plan in its stored layout: the model's weights and a fresh optimiser."""
    state: Mapping[str, np.ndarray] = {**plan.captured.stored(), **plan.programs.optimizer_state}
    return {name: state[name] for name in plan.arrangement.slots}


def learnt_state(
    plan: Plan, learnt: Session | Mapping[str, Any]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """(stored arrays, entries that no program reads) of what a session, or a state dict, holds now.

    A session gives its optimiser's arrays too. Raises ``InvalidInput`` for a state dict of another model.
    """
    captured = plan.captured
    session = learnt if isinstance(learnt, Session) else None
    if session is None and not isinstance(learnt, Mapping):
        raise InvalidInput("learnt", f"of type {type(learnt).__name__}", "give a session or a state dict")
    given: Mapping[str, Any] = learnt.state_dict() if isinstance(learnt, Session) else learnt
    whole = captured.checked({n: v.detach().cpu() if hasattr(v, "detach") else v for n, v in given.items()})
    stored = {**initial_state(plan), **captured.load(whole)}
    leaves = plan.programs.step.state
    for name, array in (session.optimizer_state_dict() if session else {}).items():
        if name not in stored or stored[name].size != array.size:
            raise InvalidInput("session", f"with {name}", "it is of another plan; emit that one")
        stored[name] = leaves[name].node.attrs["layout"].store(array)
    return {n: stored[n] for n in plan.arrangement.slots}, {n: whole[n] for n in captured.constant}
