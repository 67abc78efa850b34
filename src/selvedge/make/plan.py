"""The make road's first half: model and device -> a plan that fits, or a refusal that says what would."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from math import inf, prod
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.export import ExportedProgram

from ..artifact.features import Columns, Features, LogMel, Picture, Waveform
from ..artifact.name import checked_name
from ..artifact.preprocess import Preprocess
from ..artifact.schedule import Constant, Cosine, InverseSqrt, Schedule, Step
from ..capture import Captured, Programs, capture, programs, select
from ..capture.loss import MSE, BCEWithLogits, CrossEntropy, Loss, Reconstruction
from ..capture.loss import loss as loss_by_name
from ..capture.optimizer import SGD, Adam, Optimizer, RMSProp
from ..capture.reading import checked
from ..choose import Contribution
from ..device import Budget, Device
from ..errors import DoesNotFit, InvalidInput
from ..ir import verify
from ..planning.arrange import arrange
from ..planning.check import check
from ..planning.schedule import Arrangement, Choice
from ..planning.trade import DEFAULT, Trade
from .automatic import automatic
from .batch import batched, divided
from .change import cheapest_change
from .limits import excess, overdrawn, reserved
from .show import notebook
from .table import table
from .update_cost import UpdateCost, update_cost
from .why import state_bytes_per_parameter, why

LossValue = CrossEntropy | MSE | BCEWithLogits | Reconstruction


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
            "optimizer": {"name": type(self.optimizer).__name__, **asdict(self.optimizer)},  # type: ignore[call-overload]
            "schedule": self.schedule.to_dict(),
            "batch": self.batch,
            "micro_batch": self.micro_batch,
            "accumulate": self.accumulate,
            "norms": self.captured.norms,
            "update": self.update,
            "updated": list(self.updated),
            "optimizer_bytes_per_parameter": state_bytes_per_parameter(self),
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
    features: Features | None = None
    trade: Trade = DEFAULT
    accumulate: int = 1
    contribution: Contribution | None = None


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
    contribution: Contribution | str | Path | None = None,
    norms: str = "frozen",
    batch: int | None = None,
    accumulate: int = 1,
    preprocess: Preprocess | None = None,
    features: Features | None = None,
    labels: Sequence[str] = (),
    trade: Trade | None = None,
    name: str = "model",
) -> Plan:
    """Plan ``predict``, ``evaluate`` and ``step`` of ``model`` on ``device`` within ``budget``; or ``accumulate`` and
    ``apply`` instead of ``step``.

    model: any module of supported operations, or an exported program. It is not changed.
    example: one input batch [N, ...]; the plan is for exactly this shape. ``batch``: N instead of the example's.
    accumulate: K > 1 divides the batch of an update into K micro-batches of N / K samples, whose gradients are added up
        in accumulators that stay in RAM: activations of a micro-batch only, for one more array a parameter that learns.
        Every loss is a mean, so that the sum of a K-th of each is the gradient of the whole batch, for a model that
        mixes no samples. ``predict`` and ``evaluate`` take a micro-batch.
    loss: "cross_entropy", "mse", "bce_with_logits", "reconstruction", or a loss value.
    device: a :class:`Device`, a profile's name or path; by default this machine, measured.
    budget: limits below the device's own, as "ram=48KiB".
    optimizer: ``SGD``, ``Adam`` or ``RMSProp``; by default ``SGD(lr=0.01)``. schedule: by default its constant rate.
    update: "full", "last:K", "bias", names and globs ("head.*,conv1.weight"), or "auto": everything if that fits, else
        the most last layers that do, else the biases.
    trade: what may be given for bytes where a program is too large for the budget: by default values are made again,
        in at most twice the time. See :class:`Trade`.
    contribution: what :func:`contribution` measured, or its file: "auto" is then the set of arrays that contributes
        most of those that fit, found by a knapsack with this planner in the loop.
    labels: the classes' names, one each; they travel in the artifact.
    features: how a file becomes a sample, as :func:`selvedge.data.load` found it; it travels in the manifest.
    norms: "frozen" (fixed statistics) or "folded" (batch norm folded into the layer before it).

    Raises ``DoesNotFit`` (need, have, the cheapest change that was verified to fit), ``NotSupported`` (operator and
    source line), ``InvalidInput``.
    """
    for field, value, kinds, fix in (
        ("model", model, (nn.Module, ExportedProgram), "give an nn.Module or an exported program"),
        ("loss", loss, (str, LossValue), 'give "cross_entropy" or another name, or sv.MSE() or another value'),
        ("device", device, (Device, str, Path, type(None)), "give a profile's name or an sv.Device"),
        ("budget", budget, (Budget, str, type(None)), 'write it as "ram=48KiB", or give an sv.Budget'),
        ("optimizer", optimizer, (SGD, Adam, RMSProp, type(None)), "give sv.SGD(lr=0.01), sv.Adam or sv.RMSProp"),
        ("schedule", schedule, (Constant, Step, Cosine, InverseSqrt, type(None)), "give sv.Constant(0.01), or another"),
        ("update", update, (str, list, tuple), 'give "full", "auto", "last:K", "bias" or names'),
        ("contribution", contribution, (Contribution, str, Path, type(None)), "give what sv.contribution returned"),
        ("batch", batch, (int, type(None)), "give a whole number"),
        ("accumulate", accumulate, (int,), "give the number of micro-batches of an update"),
        ("labels", labels, (list, tuple), "give the classes' names in a list"),
        ("preprocess", preprocess, (Preprocess, type(None)), "give an sv.Preprocess"),
        (
            "features",
            features,
            (Picture, LogMel, Waveform, Columns, type(None)),
            "give those of a selvedge.data.Dataset",
        ),
        ("trade", trade, (Trade, type(None)), "give an sv.Trade, as sv.Trade(slowdown=1.35)"),
        ("name", name, (str,), "give a C identifier"),
    ):
        if not isinstance(value, kinds) or (isinstance(value, bool) and int in kinds):
            raise InvalidInput(field, f"of type {type(value).__name__}", fix)
    if not all(isinstance(word, str) for word in (*update, *labels)):
        field, odd = ("update", update) if not all(isinstance(word, str) for word in update) else ("labels", labels)
        raise InvalidInput(field, list(odd), "give strings")
    checked_name(name)
    if accumulate < 1:
        raise InvalidInput("accumulate", accumulate, "give a whole number >= 1")
    target = device if isinstance(device, Device) else Device.load("this-machine" if device is None else device)
    chosen = optimizer or SGD(lr=0.01)
    limits = Budget.of(target)
    if isinstance(budget, str):
        limits = Budget.parse(budget, limits)
    elif budget is not None:
        limits = _within(budget, limits)
    inputs = checked(example)
    for i, x in enumerate(inputs):
        if x.ndim < 2:
            raise InvalidInput(f"example {i}", f"of shape {tuple(x.shape)}", "give a batch: [samples, ...]")
    if preprocess is not None:
        preprocess.per_channel(inputs[0].shape[1])
    wish = Wish(
        name,
        model,
        inputs if batch is None else batched(inputs, batch),
        target,
        limits,
        loss_by_name(loss) if isinstance(loss, str) else loss,
        chosen,
        schedule or Constant(chosen.lr),
        update if isinstance(update, str) else ",".join(update),
        norms,
        tuple(labels),
        preprocess,
        features,
        trade or DEFAULT,
        accumulate,
        Contribution.load(contribution) if isinstance(contribution, str | Path) else contribution,
    )
    if wish.contribution is not None and wish.update != "auto":
        raise InvalidInput("contribution", "given", f'update is {wish.update!r}: give update="auto", or leave it out')
    if wish.trade.page and target.storage is None:
        fix = 'give its profile [storage] size = "1GiB", or leave paging out'
        raise InvalidInput("trade page", f"on {target.name}, which has no storage", fix)
    if features is not None and features.shape != tuple(inputs[0].shape[1:]):
        fix = f"the model takes {tuple(inputs[0].shape[1:])}: load the data for that shape"
        raise InvalidInput("features", f"for samples of {features.shape}", fix)
    return _plan(wish)


def _within(budget: Budget, limits: Budget) -> Budget:
    """``budget``, with what it leaves open from ``limits``. Raises ``InvalidInput`` where it asks for more."""
    given = {f.name: getattr(budget, f.name) for f in fields(budget) if getattr(budget, f.name) is not None}
    for field, value in given.items():
        most = getattr(limits, field)
        if most is not None and value > most:
            raise InvalidInput(f"budget {field}", value, f"the device leaves {most}: ask for at most that")
    return replace(limits, **given)


def _plan(wish: Wish) -> Plan:
    start = time.perf_counter()
    captured = capture(wish.model, divided(wish.example, wish.accumulate), norms=wish.norms)
    if wish.update == "auto":
        wish, made = automatic(wish, captured, _attempt)
    else:
        made = _attempt(wish, captured)
    _require_kept(made, wish, captured)
    check(made.arrangement)
    return replace(made, seconds_to_plan=time.perf_counter() - start)


def _require_kept(made: Plan, wish: Wish, captured: Captured) -> None:
    """Raise the refusal of a plan that breaks its budget."""
    over = excess(made)
    if over is not None:
        raise DoesNotFit(*over, cheapest_change(wish, _attempt, captured))
    late = overdrawn(made)
    if late is not None:
        raise late


def _attempt(wish: Wish, captured: Captured, choices: Sequence[Choice] = ()) -> Plan:
    """A plan for ``wish`` as it stands, whether it fits or not."""
    updated = select(captured, wish.update)
    made = programs(captured, wish.loss, wish.optimizer, updated, wish.accumulate)
    _require_labels(wish.labels, captured, wish.loss)
    for graph in made.graphs.values():
        verify(graph)
    latency = inf if wish.budget.latency_s is None else wish.budget.latency_s
    arrangement = arrange(made.graphs, wish.device, choices, room=wish.budget.ram, latency=latency, trade=wish.trade)
    return Plan(
        wish.name, captured, made, arrangement, wish.device, wish.budget, wish.loss, wish.optimizer, wish.schedule,
        wish.update, made.updated, wish.labels, wish.preprocess, 0.0, wish.features, wish.accumulate,
    )  # fmt: skip


def _require_labels(labels: tuple[str, ...], captured: Captured, loss: Loss) -> None:
    """Labels are a name for each class."""
    classes = captured.layouts["output"].face[1] if isinstance(loss, CrossEntropy) else len(labels)
    if labels and len(labels) != classes:
        raise InvalidInput("labels", f"of {len(labels)} names", f"the model has {classes} classes: name each, or none")
