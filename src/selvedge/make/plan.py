"""The make road's first half: model and device -> a plan that fits, or a refusal that says what would."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import count
from math import inf, prod
from pathlib import Path
from typing import Any

import torch

from ..artifact.features import Features
from ..artifact.preprocess import Preprocess
from ..artifact.schedule import Schedule
from ..capture import Captured, Programs
from ..capture.loss import Loss, settings
from ..capture.optimizer import Optimizer
from ..capture.torch_loss import Function
from ..choose import Contribution
from ..device import Budget, Device
from ..device.power import Battery, Solar
from ..errors import DoesNotFit, InvalidInput
from ..planning.check import check
from ..planning.schedule import Arrangement, Choice
from ..planning.trade import Trade
from .automatic import automatic
from .change import changes
from .daily import a_day
from .learnable import Model
from .limits import excess, fits, overdrawn, reserved
from .show import notebook
from .sizes import Dynamic
from .table import table
from .update_cost import UpdateCost, update_cost
from .why import state_bytes_per_parameter, why
from .widen import widened
from .wish import Drafted, Wish, drafted, wished

Attempt = Callable[..., "Plan"]  # of a wish, its model captured and, where it was made before, its draft
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True, repr=False)
class Plan:
    """A training step that fits a device: which calls, at which bytes, at what cost, and why.

    ``arrangement`` holds every kernel and offset; ``updated`` are the PyTorch names that learn, with the part
    where that is not all of one ("9.weight[:12 of 48]"). ``print(plan)`` shows
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
    accumulate: int = 1

    @property
    def batch(self) -> int:
        """Samples of one update."""
        return self.micro_batch * self.accumulate

    @property
    def micro_batch(self) -> int:
        """Samples of one call of a program."""
        return self.captured.layouts["x"].face[0]

    @property
    def cost(self) -> UpdateCost:
        """What one update costs: a step, or all micro-batches and their application."""
        return update_cost(self)

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
        step, energy = self.cost, self.device.energy
        return {
            "model": self.name,
            "device": self.device.name,
            "loss": type(self.loss).__name__,
            "loss_options": settings(self.loss),
            "optimizer": {"name": type(self.optimizer).__name__, **asdict(self.optimizer)},  # type: ignore[call-overload]
            "schedule": self.schedule.to_dict(),
            "batch": self.batch,
            "micro_batch": self.micro_batch,
            "accumulate": self.accumulate,
            "norms": self.captured.norms,
            "masks_drawn": sum(k.family == "dropout" for p in a.programs.values() for k in p.kernels.values()),
            "update": self.update,
            "updated": list(self.updated),
            "optimizer_bytes_per_parameter": state_bytes_per_parameter(self),
            "learnt_parameters": sum(self.programs.learnt(n).size for n in self.programs.updated),
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
            "power": None if self.power is None else str(self.power),
            "a_day": daily.to_dict() if (daily := a_day(self)) is not None else None,
            "joules_high": energy.high(step.joules) if energy and step.joules is not None else None,
            "nodes": step.nodes,
            "kernels": step.kernels,
            "seconds_to_plan": self.seconds_to_plan,
            "programs": {
                n: {
                    "transient_bytes": p.transient_bytes,
                    "lower_bound_bytes": p.bound_bytes,
                    "lower_bound_any_order_bytes": p.any_order_bytes,
                    "macs": p.macs,
                    "kernels": len(p.kernels),
                    "seconds": p.seconds,
                    "streamed_kernels": p.saved.streamed if p.saved else 0,
                    "kernels_again": p.saved.again if p.saved else 0,
                    "regions_by_channels": p.saved.regions if p.saved else 0,
                    "paged_out_bytes": p.saved.paged_out if p.saved else 0,
                    "paged_in_bytes": p.saved.paged_in if p.saved else 0,
                }
                for n, p in a.programs.items()
            },
            "choices": [{"what": c.what, "why": c.why} for c in self.why],
            "sizes": {suffix: list(own.layouts["x"].face) for suffix, own in self.programs.sizes.items()},
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
    model: Model,
    example: torch.Tensor | tuple[torch.Tensor, ...],
    *,
    loss: str | Loss | Function = "cross_entropy",
    device: Device | str | None = None,
    budget: Budget | str | None = None,
    optimizer: Optimizer | None = None,
    schedule: Schedule | None = None,
    update: str | Sequence[str] = "full",
    contribution: Contribution | str | Path | None = None,
    norms: str = "frozen",
    dropout: int | None = None,
    batch: int | None = None,
    accumulate: int = 1,
    preprocess: Preprocess | None = None,
    features: Features | None = None,
    labels: Sequence[str] = (),
    trade: Trade | None = None,
    power: Battery | Solar | None = None,
    dynamic: Dynamic | None = None,
    name: str = "model",
    on_progress: Progress = lambda plans: None,
) -> Plan:
    """Plan ``predict``, ``evaluate`` and ``step`` of ``model`` on ``device`` within ``budget``; or ``accumulate`` and
    ``apply`` instead of ``step``.

    model: any module of supported operations, or an exported program; or what :func:`selvedge.learnable_tflite` read.
        It is not changed.
    example: one input batch [N, ...]; the plan is for exactly this shape. ``batch``: N instead of the example's.
    dynamic: axes of the input that may be smaller than the example's, and the sizes that they may have: ``{0: range(1,
        9)}`` for 1 to 8 samples, ``{0: range(1, 9), 1: (16, 32, 64)}`` for lengths too; or a ``torch.export.Dim`` with
        a bound. Each is captured and planned as it is, over the same state and in the same arena: what runs is
        exactly the model at that size, nothing is padded. Axis 0 is that of one call: of a micro-batch, if accumulated.
    accumulate: K > 1 divides the batch of an update into K micro-batches of N / K samples, whose gradients are added up
        in accumulators that stay in RAM: activations of a micro-batch only, for one more array a parameter that learns.
        Every loss is a mean, so that the sum of a K-th of each is the gradient of the whole batch, for a model that
        mixes no samples. ``predict`` and ``evaluate`` take a micro-batch.
    loss: "cross_entropy", "mse", "bce_with_logits", "reconstruction" or another name, a loss value, or a function of
        (output, target) written in PyTorch, whose target is like the output (sv.TorchLoss takes others).
    device: a :class:`Device`, a profile's name or path; by default this machine, measured.
    budget: limits below the device's own, as "ram=48KiB".
    optimizer: ``SGD``, ``Adam`` or ``RMSProp``; by default ``SGD(lr=0.01)``. schedule: by default its constant rate.
    update: "full", "last:K", "bias", names and globs ("head.*,conv1.weight"; "conv2.weight[:25%]" or "[:16]"
        for the first input channels of a weight), or "auto": everything if that fits, else
        the most last layers that do, else the biases.
    trade: what may be given for bytes where a program is too large for the budget: by default values are made again,
        in at most twice the time. See :class:`Trade`.
    contribution: what :func:`contribution` measured, or its file: "auto" is then the set of arrays that contributes
        most of those that fit, found by a knapsack with this planner in the loop.
    power: what the device lives on: a day of it is a limit of the budget, and the plan says how many steps it affords.
    labels: the classes' names, one each; they travel in the artifact.
    features: how a file becomes a sample, as :func:`selvedge.data.load` found it; it travels in the manifest.
    norms: "frozen" (fixed statistics), "folded" (batch norm folded into the layer before it) or "live" (each
        ``nn.BatchNorm`` takes the statistics of the micro-batch while it learns and moves the running ones).
    dropout: a seed: dropout is on while the model learns, its masks drawn anew each step and in the backward again, so
        that they take no bytes. None: off.
    on_progress: is told how many plans have been made so far: "auto" makes many, above all by contribution, and so does
        a refusal, to say what would fit.

    Raises ``DoesNotFit`` (need, have, the cheapest change that was verified to fit), ``NotSupported`` (operator and
    source line), ``InvalidInput``.
    """
    if not callable(on_progress):
        raise InvalidInput("on_progress", "no function", "give one, or leave it out")
    return _plan(
        wished(
            model, example, loss=loss, device=device, budget=budget, optimizer=optimizer, schedule=schedule,
            update=update, contribution=contribution, norms=norms, dropout=dropout, batch=batch, accumulate=accumulate,
            preprocess=preprocess, features=features, labels=labels, trade=trade, power=power,
            dynamic=dynamic, name=name,
        ),
        _counted(on_progress),
    )  # fmt: skip


def _plan(wish: Wish, attempt: Attempt) -> Plan:
    start = time.perf_counter()
    captured = wish.captured()
    found = wish.update == "auto"
    if found:
        wish, made = automatic(wish, captured, attempt)
    else:
        made = attempt(wish, captured)
    _require_kept(made, wish, captured, attempt, found)
    if wish.dynamic:
        made = widened(made, wish, captured, attempt)
    check(made.arrangement)
    return replace(made, seconds_to_plan=time.perf_counter() - start)


def _counted(on_progress: Progress) -> Attempt:
    """:func:`attempt`, after each of which ``on_progress`` is told how many there were."""
    made = count(1)

    def counted(wish: Wish, captured: Captured, known: Drafted | None = None) -> Plan:
        plan = attempt(wish, captured, known)
        on_progress(next(made))
        return plan

    return counted


def _require_kept(made: Plan, wish: Wish, captured: Captured, attempt: Attempt, found: bool) -> None:
    """Raise the refusal of a plan that breaks its budget. found: its update was not asked for, but "auto"."""
    over = excess(made)
    if over is not None:
        raise DoesNotFit(*over, *changes(wish, made, attempt, captured, found))
    late = overdrawn(made)
    if late is not None:
        raise late


def attempt(wish: Wish, captured: Captured, known: Drafted | None = None) -> Plan:
    """A plan for ``wish`` as it stands, whether it fits or not. known: its draft, where that was made before.

    The least time that is given up may be more energy than the budget has: then the least energy is, where that fits.
    """
    made = known or drafted(wish, captured)
    plan = _arranged(wish, captured, made)
    limited = wish.budget.energy_j is not None or wish.budget.energy_day_j is not None
    if limited and wish.trade.objective == "time" and excess(plan) is None and not fits(plan):
        other = _arranged(replace(wish, trade=replace(wish.trade, objective="energy")), captured, made)
        return other if fits(other) else plan
    return plan


def _arranged(wish: Wish, captured: Captured, made: Drafted) -> Plan:
    latency = inf if wish.budget.latency_s is None else wish.budget.latency_s
    arrangement = made.draft.arranged(room=wish.budget.ram, latency=latency, trade=wish.trade)
    return Plan(
        wish.name, captured, made.programs, arrangement, wish.device, wish.budget, wish.loss, wish.optimizer,
        wish.schedule, wish.update, made.programs.learns, wish.labels, wish.preprocess, 0.0, wish.features,
        power=wish.power, accumulate=wish.accumulate,
    )  # fmt: skip
