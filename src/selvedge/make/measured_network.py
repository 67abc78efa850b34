"""What one candidate costs: its file, RAM to run, RAM to train, flash, MACs, planned time and energy on a device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ..capture.loss import Loss
from ..capture.optimizer import SGD
from ..compressing.quantised import Quantised
from ..device import Budget, Device
from ..errors import DoesNotFit, InvalidInput, NotSupported
from ..formats import onnx, tflite
from .captured_network import network
from .inference import Inference, plan_inference
from .network import Network
from .plan import Plan, plan
from .room import roomy
from .wish import within

TFLITE, ONNX = ".tflite", ".onnx"
ENDS = ("input", "dequantise")  # float where all between is int8


@dataclass(frozen=True, slots=True)
class Training:
    """A training step at batch 1 in float32 with plain SGD. ``full_bytes``: arena of one that updates everything, as it
    is, nothing made again. ``update``, ``arena_bytes``: what learns within the device's RAM and in how much of it:
    "full" where that fits as it is, else what ``update="auto"`` finds; "" and None where nothing does, and
    ``refused`` says why. All None, "" and a reason where the network cannot train."""

    full_bytes: int | None
    update: str
    arena_bytes: int | None
    refused: str

    def to_dict(self) -> dict[str, Any]:
        return {"full_bytes": self.full_bytes, "update": self.update, "arena_bytes": self.arena_bytes,
                "refused": self.refused}  # fmt: skip


@dataclass(frozen=True, slots=True)
class MeasuredNetwork:
    """``file``: ".tflite" or ".onnx", which of them can be written; ``file_bytes``: of it, as written; "" and None
    where neither can. ``arena_bytes``: RAM of a prediction; ``weights_bytes``: flash of weights alone; ``flash_bytes``:
    with the code, which is an estimate from above. ``macs``: of a prediction. ``seconds``, ``joules``: of it, planned
    for the device; None where its profile has no figures. ``refused``: why the device cannot run it; "" where it can.
    ``plan``: what predicts, to be compiled."""

    file: str
    file_bytes: int | None
    arena_bytes: int
    weights_bytes: int
    flash_bytes: int
    macs: int
    seconds: float | None
    joules: float | None
    refused: str
    training: Training
    plan: Inference

    @property
    def fits(self) -> bool:
        return not self.refused

    def to_dict(self) -> dict[str, Any]:
        """The figures, for machines."""
        return {
            "file": self.file,
            "file_bytes": self.file_bytes,
            "arena_bytes": self.arena_bytes,
            "weights_bytes": self.weights_bytes,
            "flash_bytes": self.flash_bytes,
            "macs": self.macs,
            "seconds": self.seconds,
            "joules": self.joules,
            "refused": self.refused,
            "training": self.training.to_dict(),
        }


def measured_network(
    model: nn.Module | Quantised | Network,
    example: torch.Tensor,
    *,
    device: Device | str | None = None,
    budget: Budget | str | None = None,
    loss: str | Loss = "cross_entropy",
    trained_as: nn.Module | None = None,
    training: Training | None = None,
    name: str = "model",
) -> MeasuredNetwork:
    """What ``model`` costs on ``device`` within ``budget``, for predictions of one sample.

    model: in float, or what :func:`selvedge.quantise` or ``QAT.convert`` made; it is not changed. Or what
        :func:`selvedge.network` read of it: then ``name`` is that one's.
    example: an input [N, ...] in float32, of which the first sample is taken.
    trained_as: the float network whose training is priced; by default ``model`` itself where it is a float module.
    training: figures of it that are known already, from a candidate of the same shapes.

    Figures exist also where the device is too small: ``refused`` then says what is missing. Raises ``NotSupported`` for
    a network that native code cannot run, and ``InvalidInput``.
    """
    if not isinstance(example, torch.Tensor) or example.dim() < 1 or not len(example):
        raise InvalidInput("example", f"of type {type(example).__name__}", "give a batch of samples [N, ...]")
    target = device if isinstance(device, Device) else Device.load("this-machine" if device is None else device)
    within(budget, Budget.of(target))  # a budget that nobody can keep is refused, before any figure
    one = example[:1]
    read = model if isinstance(model, Network) else network(model, one, name=name)
    file, held = written(read)
    made, refused = _predicting(read, target, budget)
    if training is None:
        floats = model if trained_as is None and not isinstance(model, Quantised | Network) else trained_as
        training = training_of(floats, one, device=target, budget=budget, loss=loss)
    memory, cost = made.arrangement.memory, made.cost
    return MeasuredNetwork(
        file, None if held is None else len(held), memory.arena, memory.weights, memory.flash, cost.macs, cost.seconds,
        cost.joules, refused, training, made,
    )  # fmt: skip


def written(read: Network) -> tuple[str, bytes | None]:
    """``read`` as the bytes of a file, and its ending: ".tflite" where int8 operators can say all of it, else ".onnx";
    "" and None where neither can."""
    if not any(spec.is_float for node in read.graph.nodes() if node.op not in ENDS for spec in node.specs):
        try:
            return TFLITE, tflite.written(tflite.model(read.graph))
        except NotSupported:
            pass
    try:
        return ONNX, onnx.written(read.graph, read.name, read.layouts).SerializeToString(deterministic=True)
    except NotSupported:
        return "", None


def training_of(
    model: nn.Module | None,
    example: torch.Tensor,
    *,
    device: Device,
    budget: Budget | str | None = None,
    loss: str | Loss = "cross_entropy",
) -> Training:
    """What a training step of the float ``model`` takes at batch 1 with plain SGD, norms frozen."""
    if model is None:
        return Training(None, "", None, "no float network was given to be trained")
    asked: Mapping[str, Any] = {"loss": loss, "optimizer": SGD(lr=0.01)}
    try:
        full = plan(model, example[:1], device=roomy(device), update="full", **asked)
    except (NotSupported, InvalidInput) as error:
        return Training(None, "", None, str(error))
    if _holds(full, within(budget, Budget.of(device))):
        return Training(full.arena_bytes, "full", full.arena_bytes, "")
    try:
        found = plan(model, example[:1], device=device, budget=budget, update="auto", **asked)
    except (DoesNotFit, InvalidInput) as error:
        return Training(full.arena_bytes, "", None, str(error))
    return Training(full.arena_bytes, found.update, found.arena_bytes, "")


def _holds(full: Plan, limits: Budget) -> bool:
    memory, cost = full.arrangement.memory, full.cost
    pairs = (
        (memory.arena, limits.ram), (memory.flash, limits.flash), (cost.seconds, limits.latency_s),
        (cost.joules, limits.energy_j), (cost.joules, limits.energy_day_j),
    )  # fmt: skip
    return all(most is None or (need is not None and need <= most) for need, most in pairs)


def _predicting(read: Network, device: Device, budget: Budget | str | None) -> tuple[Inference, str]:
    """The prediction as the device has it; where it does not fit, as it would be with room, and the refusal."""
    try:
        return plan_inference(read, device=device, budget=budget), ""
    except DoesNotFit as error:
        return plan_inference(read, device=roomy(device)), str(error)
    except InvalidInput as error:  # too slow, or draws too much: or nothing that a device could do about
        try:
            return plan_inference(read, device=roomy(device)), str(error)
        except InvalidInput:
            raise error from None
