"""What the user asked for, and what of its plan does not depend on the budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from math import inf
from pathlib import Path

import torch
from torch import nn
from torch.export import ExportedProgram

from ..artifact.features import Columns, Features, LogMel, Picture, Waveform
from ..artifact.name import checked_name
from ..artifact.preprocess import Preprocess
from ..artifact.schedule import Constant, Cosine, InverseSqrt, Schedule, Step
from ..capture import Captured, Programs, programs, select
from ..capture.loss import CTC, MSE, BCEWithLogits, CrossEntropy, Loss, Reconstruction
from ..capture.loss import loss as loss_by_name
from ..capture.optimizer import SGD, Adam, Optimizer, RMSProp
from ..capture.reading import checked
from ..capture.torch_loss import Function, TorchLoss
from ..choose import Contribution
from ..device import Budget, Device
from ..device.power import Battery, Solar
from ..errors import InvalidInput
from ..ir import verify
from ..planning.arrange import Draft
from ..planning.trade import DEFAULT, Trade
from .batch import batched, divided
from .learnable import LearnableFile, Model, captured
from .sizes import Axes, Dynamic, bounded

LOSS_VALUES = (CrossEntropy, CTC, MSE, BCEWithLogits, Reconstruction, TorchLoss)


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user asked for: enough to plan again with one thing changed."""

    name: str
    model: Model
    example: tuple[torch.Tensor, ...]
    device: Device
    budget: Budget
    loss: Loss
    optimizer: Optimizer
    schedule: Schedule
    update: str
    norms: str
    dropout: int | None
    labels: tuple[str, ...]
    preprocess: Preprocess | None
    features: Features | None = None
    trade: Trade = DEFAULT
    power: Battery | Solar | None = None
    accumulate: int = 1
    contribution: Contribution | None = None
    dynamic: Axes = ()

    def captured(self) -> Captured:
        """The model, as it runs on one micro-batch."""
        return captured(self.model, divided(self.example, self.accumulate), norms=self.norms, dropout=self.dropout)


def wished(
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
) -> Wish:
    """What was asked for, checked; the arguments are those of :func:`selvedge.plan`. Raises ``InvalidInput``."""
    for field, value, kinds, fix in (
        ("model", model, (nn.Module, ExportedProgram, LearnableFile), "give an nn.Module or an exported program"),
        ("device", device, (Device, str, Path, type(None)), "give a profile's name or an sv.Device"),
        ("budget", budget, (Budget, str, type(None)), 'write it as "ram=48KiB", or give an sv.Budget'),
        ("optimizer", optimizer, (SGD, Adam, RMSProp, type(None)), "give sv.SGD(lr=0.01), sv.Adam or sv.RMSProp"),
        ("schedule", schedule, (Constant, Step, Cosine, InverseSqrt, type(None)), "give sv.Constant(0.01), or another"),
        ("update", update, (str, list, tuple), 'give "full", "auto", "last:K", "bias" or names'),
        ("contribution", contribution, (Contribution, str, Path, type(None)), "give what sv.contribution returned"),
        ("batch", batch, (int, type(None)), "give a whole number"),
        ("accumulate", accumulate, (int,), "give the number of micro-batches of an update"),
        ("dropout", dropout, (int, type(None)), "give the seed of its masks, or None"),
        ("labels", labels, (list, tuple), "give the classes' names in a list"),
        ("preprocess", preprocess, (Preprocess, type(None)), "give an sv.Preprocess"),
        (
            "features",
            features,
            (Picture, LogMel, Waveform, Columns, type(None)),
            "give those of a selvedge.data.Dataset",
        ),
        ("trade", trade, (Trade, type(None)), "give an sv.Trade, as sv.Trade(slowdown=1.35)"),
        ("power", power, (Battery, Solar, type(None)), "give an sv.Battery or an sv.Solar"),
        ("name", name, (str,), "give a C identifier"),
    ):
        if not isinstance(value, kinds) or (isinstance(value, bool) and int in kinds):
            raise InvalidInput(field, f"of type {type(value).__name__}", fix)
    if not all(isinstance(word, str) for word in (*update, *labels)):
        field, odd = ("update", update) if not all(isinstance(word, str) for word in update) else ("labels", labels)
        raise InvalidInput(field, list(odd), "give strings")
    if not isinstance(loss, (str, *LOSS_VALUES)) and not callable(loss):
        fix = 'give "cross_entropy" or another name, sv.MSE() or another value, or a function (output, target)'
        raise InvalidInput("loss", f"of type {type(loss).__name__}", fix)
    if not isinstance(loss, str) and not isinstance(loss, LOSS_VALUES):
        loss = TorchLoss(loss)
    checked_name(name)
    if accumulate < 1:
        raise InvalidInput("accumulate", accumulate, "give a whole number >= 1")
    target = device if isinstance(device, Device) else Device.load("this-machine" if device is None else device)
    chosen = optimizer or SGD(lr=0.01)
    limits = within(budget, Budget.of(target))
    if power is not None:
        limits = replace(limits, energy_day_j=min(power.joules_a_day, limits.energy_day_j or inf))
    inputs = checked(example)
    for i, x in enumerate(inputs):
        if x.ndim < 2:
            raise InvalidInput(f"example {i}", f"of shape {tuple(x.shape)}", "give a batch: [samples, ...]")
    if preprocess is not None:
        preprocess.per_channel(inputs[0].shape[1])
    if dynamic and isinstance(model, LearnableFile):
        raise InvalidInput("dynamic", "given", "a .tflite file is for one shape: leave it out")
    if dynamic and isinstance(model, ExportedProgram):
        if not model.range_constraints:
            fix = "the program was exported for fixed shapes: export it with dynamic_shapes, or give the module"
            raise InvalidInput("dynamic", "given", fix)
        model = model.module()  # exported again at each size
    inputs = inputs if batch is None else batched(inputs, batch)
    fewer = batch is not None or accumulate > 1
    wish = Wish(
        name,
        model,
        inputs,
        target,
        limits,
        loss_by_name(loss) if isinstance(loss, str) else loss,
        chosen,
        schedule or Constant(chosen.lr),
        update if isinstance(update, str) else ",".join(update),
        norms,
        dropout,
        tuple(labels),
        preprocess,
        features,
        trade or DEFAULT,
        power,
        accumulate,
        Contribution.load(contribution) if isinstance(contribution, str | Path) else contribution,
        bounded(dynamic, divided(inputs, accumulate), channels=preprocess is not None, fewer=fewer),
    )
    if wish.contribution is not None and wish.update != "auto":
        raise InvalidInput("contribution", "given", f'update is {wish.update!r}: give update="auto", or leave it out')
    if wish.trade.page and target.storage is None:
        fix = 'give its profile [storage] size = "1GiB", or leave paging out'
        raise InvalidInput("trade page", f"on {target.name}, which has no storage", fix)
    if features is not None and features.shape != tuple(inputs[0].shape[1:]):
        fix = f"the model takes {tuple(inputs[0].shape[1:])}: load the data for that shape"
        raise InvalidInput("features", f"for samples of {features.shape}", fix)
    return wish


def within(budget: Budget | str | None, limits: Budget) -> Budget:
    """``budget``, with what it leaves open from ``limits``. Raises ``InvalidInput`` where it asks for more."""
    if budget is None:
        return limits
    if isinstance(budget, str):
        return Budget.parse(budget, limits)
    given = {f.name: getattr(budget, f.name) for f in fields(budget) if getattr(budget, f.name) is not None}
    for field, value in given.items():
        most = getattr(limits, field)
        if most is not None and value > most:
            raise InvalidInput(f"budget {field}", value, f"the device leaves {most}: ask for at most that")
    return replace(limits, **given)


@dataclass(frozen=True, slots=True)
class Drafted:
    """The programs of a wish, and the draft of their arrangement: the same for every budget and trade."""

    programs: Programs
    draft: Draft


def drafted(wish: Wish, captured: Captured) -> Drafted:
    """Raises ``InvalidInput`` for an update, a loss or labels that do not suit the model."""
    made = programs(captured, wish.loss, wish.optimizer, select(captured, wish.update), wish.accumulate)
    _require_labels(wish.labels, captured, wish.loss)
    for graph in made.graphs.values():
        verify(graph)
    return Drafted(made, Draft(made.graphs, wish.device))


def _require_labels(labels: tuple[str, ...], captured: Captured, loss: Loss) -> None:
    """Labels are a name for each class."""
    classes = captured.layouts["output"].face[1] if isinstance(loss, CrossEntropy) else len(labels)
    if labels and len(labels) != classes:
        raise InvalidInput("labels", f"of {len(labels)} names", f"the model has {classes} classes: name each, or none")
