"""The plans of the table: a model of the zoo at batch 1, predicting in float, predicting in int8, or learning."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import nn

import selvedge as sv
from benchmarks.matrix.models import settled
from benchmarks.work import RATE

MODELS = ("resnet8", "ds_cnn", "deep_autoencoder", "mobilenet_v2?width=0.35&resolution=64")
KINDS = ("float", "int8", "train")
CALIBRATION = 32  # samples, standard normal: what an int8 network costs does not depend on them


@dataclass(frozen=True)
class Given:
    """plan: for this machine, one thread. x: float32, or int8 codes. y: labels; None where there are none."""

    plan: sv.Plan
    x: np.ndarray
    y: np.ndarray | None = None


@cache
def machine() -> sv.Device:
    """This machine, measured once."""
    return sv.Device.load("this-machine")


def given(spec: str, kind: str) -> Given:
    """Norms have seen data, and are frozen; all learns, by plain SGD."""
    model, x, y, loss = settled(spec)
    return _given(model, x[:1], None if y is None or kind != "train" else y[:1], loss, kind)


def tiny(kind: str) -> Given:
    """Two layers: what a runtime takes for them it takes for itself."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 4)).eval()
    return _given(model, torch.randn(1, 1, 8, 8), np.array([1]), "cross_entropy", kind)


def _given(model: nn.Module, x: torch.Tensor, y: np.ndarray | None, loss: str, kind: str) -> Given:
    if kind == "train":
        sgd = sv.SGD(lr=RATE)
        return Given(sv.plan(model, x, loss=loss, device=machine(), optimizer=sgd, name="net"), x.numpy(), y)
    if kind == "float":
        return Given(sv.plan_inference(model, x, device=machine(), name="net"), x.numpy())
    torch.manual_seed(2)
    sample = torch.randn(CALIBRATION, *x.shape[1:])
    network = sv.network(sv.quantise(model, sample, wanted_agreement=0.0), x, floats=False)
    codes = np.random.default_rng(0).integers(-128, 128, tuple(x.shape)).astype(np.int8)
    return Given(sv.plan_inference(network, device=machine()), codes)
