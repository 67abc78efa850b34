"""A model on a device -> what advice needs of it, out of real plans: whole, cut in every place, one training step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import nn

from .. import ir
from ..advising import Costs, Cut, Run, Step
from ..artifact.name import checked_name
from ..capture import capture
from ..capture.reading import checked
from ..device import Budget, Device
from ..errors import DoesNotFit, InvalidInput, NotSupported
from ..make.inference import Inference, plan_inference
from ..make.network import Network
from ..make.plan import Plan, attempt
from ..make.plan import plan as make_plan
from ..make.room import roomy
from ..make.wish import wished
from . import network_file
from .cutting import before, layer_names, places
from .model import NamedModel
from .model import load as load_model
from .optimizer import parse as parse_optimizer

FILE = "the network of a file predicts and does not learn"


class Progress(Protocol):
    """What :class:`~.progress.Work` is to this: parts, and how far they are."""

    def part(self, name: str, total: int | None = None) -> None: ...

    def at(self, done: int, says: str = "") -> None: ...


@dataclass(frozen=True, slots=True)
class Training:
    """How it would learn on the device; arguments of :func:`selvedge.plan`."""

    batch: int
    update: str
    optimizer: str
    norms: str
    loss: str | None


def costs(
    spec: str, shape: str | None, device: Device, budget: Budget, training: Training | None, seed: int, work: Progress
) -> Costs:
    """``spec``: a model as the command line names it. ``training``: None where it never learns again.

    What does not fit is planned for a device with room for anything, so that its bytes are known. Raises
    ``SelvedgeError``."""
    work.part("reading the model")
    named: NamedModel | None = None
    names: list[str] = []
    if network_file.is_one(spec):
        network = network_file.load(spec)
    else:
        named = load_model(spec, shape, seed)
        network, names = _network(named)
    found, macs = places(network, names)
    work.part("planning the cuts", len(found) + 1)
    run = _planned(network, device, budget)
    cuts = []
    for i, place in enumerate(found, 1):
        work.at(i, place.layer)
        part = _planned(before(network, place), device, budget)
        spec_ = place.value.spec
        seconds = _seconds(part)
        cuts.append(
            Cut(place.layer, spec_.size, place.macs, seconds, part.arena_bytes, part.arrangement.memory.flash,
                part.cost.joules, ir.ITEM_BYTES[spec_.dtype])
        )  # fmt: skip
    step, why = _step(named, device, budget, training, work)
    memory = run.arrangement.memory
    return Costs(
        network.name, device.name, Run(macs, _seconds(run), memory.arena, memory.flash, run.cost.joules),
        tuple(cuts), step, why, budget.ram, budget.flash, memory.weights,
        0.0 if device.energy is None else device.energy.band,
    )  # fmt: skip


def _network(named: NamedModel) -> tuple[Network, list[str]]:
    """What :func:`selvedge.network` makes of it, and the layers' names, which that forgets."""
    model, example = named.model, tuple(x[:1] for x in named.example)
    if isinstance(model, nn.Module):
        model = model.eval()
    with torch.no_grad():
        captured = capture(model, checked(example), norms="folded")
    owner = {name: layer.name for layer in captured.layers for name in layer.names}
    graph = ir.frozen(captured.graph, captured.stored())
    layouts = {n: captured.layouts[n] for n in (*graph.inputs, *graph.outputs)}
    return Network(graph, checked_name(named.name), layouts), layer_names(captured.graph, owner)


def _planned(network: Network, device: Device, budget: Budget) -> Inference:
    try:
        return plan_inference(network, device=device, budget=_bytes(budget))
    except DoesNotFit:
        return plan_inference(network, device=roomy(device))


def _bytes(budget: Budget) -> Budget:
    """Of the budget only its bytes: time and energy are the scenario's."""
    return Budget(budget.ram, budget.flash)


def _seconds(plan: Inference | Plan) -> float:
    if plan.cost.seconds is None:
        fix = "its profile has no figures of time: give it throughput and bandwidth, or measure it (selvedge devices)"
        raise InvalidInput("device", plan.device.name, fix)
    return plan.cost.seconds


def _step(
    named: NamedModel | None, device: Device, budget: Budget, training: Training | None, work: Progress
) -> tuple[Step | None, str]:
    """(a training step, or why there is none)."""
    if training is None:
        return None, "it never learns again"
    if named is None:
        return None, FILE
    work.part("planning a training step")
    given: dict[str, Any] = {
        "loss": training.loss or named.loss or "cross_entropy", "device": device, "budget": _bytes(budget),
        "optimizer": parse_optimizer(training.optimizer), "norms": training.norms, "batch": training.batch,
        "name": named.name, "update": training.update,
    }  # fmt: skip
    try:
        plan = _trained(named, given)
    except (NotSupported, InvalidInput) as error:
        if isinstance(error, InvalidInput) and error.field == "update":
            raise  # a word of the user's, not what the model can
        return None, str(error)
    memory, cost = plan.arrangement.memory, plan.cost
    update = sum(plan.programs.learnt(name).bytes for name in plan.programs.updated)
    return Step(cost.macs, _seconds(plan), memory.arena, memory.flash, update, cost.joules), ""


def _trained(named: NamedModel, given: dict[str, Any]) -> Plan:
    """A plan, whether it fits or not: of "auto" the least that there is, where nothing fits."""
    if given["update"] == "auto":
        try:
            return make_plan(named.model, named.example, **given)
        except DoesNotFit:
            given = given | {"update": "last:1"}
    wish = wished(named.model, named.example, **given)
    return attempt(wish, wish.captured())
