"""The models of the table: those that must run in every target first, then one of each other family."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import torch
from torch import nn

from selvedge.zoo import make

# Small pictures where a family takes them: an operator is the same operator, and a run of all ends in an hour.
FIRST = (
    "resnet8", "ds_cnn", "deep_autoencoder", "mobilenet_v1_025", "mobilenet_v2?width=0.35&resolution=64",
    "mobilenet_v3_small?resolution=64",
)  # fmt: skip
OTHERS = (
    "mobilenet_v3_large?resolution=64", "efficientnet_lite0?resolution=64", "efficientnet_b0?resolution=64",
    "shufflenet_v2_x0_5?resolution=64", "mcunet_5fps", "proxyless_w03", "mbv2_w035", "resnet18?resolution=64",
    "har_fcn", "audio_m5", "text_cnn", "keyword_gru", "keyword_lstm", "char_gru",
)  # fmt: skip
MODELS = (*FIRST, *OTHERS)
BATCH = 4
DRAWS, MOVED, LEAPS = 300, 3e-7, 1e-4  # of a batch; of its numbers and of weights; of a gradient's largest
Case = tuple[nn.Module, torch.Tensor, "np.ndarray | None", str]


def steady(spec: str) -> Case:
    """:func:`settled`, with the first batch at which PyTorch's gradients in float64 are those of its neighbours and of
    itself in float32: one number of a ReLU that is zero but for rounding takes a tenth off a gradient, and then no two
    float32 agree."""
    model, x, y, loss = settled(spec)
    if not x.is_floating_point():
        return model, x, y, loss
    for draw in range(DRAWS):
        if draw:
            torch.manual_seed(100 + draw)
            x = torch.randn(x.shape)
        exact = gradients(model, x, y, torch.float64)
        torch.manual_seed(0)
        if _near(gradients(model, x, y, torch.float32), exact) and all(
            _near(gradients(_moved(model), shaken(x), y, torch.float64), exact) for _ in range(4)
        ):
            return model, x, y, loss
    raise RuntimeError(f"{spec}: of {DRAWS} batches each is at a kink")


def shaken(numbers: torch.Tensor) -> torch.Tensor:
    """In float64, each by as much as float32 rounds in a sum or two."""
    return numbers.double() * (1 + MOVED * torch.randn(numbers.shape))


def _moved(model: nn.Module) -> nn.Module:
    """A copy in float64 whose weights are :func:`shaken`: what is computed of them is off as by rounding, at every
    depth."""
    made = deepcopy(model).double()
    with torch.no_grad():
        for p in made.parameters():
            p.copy_(shaken(p))
    return made


def _near(found: dict[str, np.ndarray], exact: dict[str, np.ndarray]) -> bool:
    return all(np.abs(found[n] - e).max() <= LEAPS * np.abs(e).max() for n, e in exact.items())


def gradients(model: nn.Module, x: torch.Tensor, y: np.ndarray | None, dtype: torch.dtype) -> dict[str, np.ndarray]:
    """Name -> PyTorch's gradient, computed in ``dtype``, as float64."""
    model = model.to(dtype)
    model.zero_grad()
    given = x.to(dtype) if x.is_floating_point() else x
    output = model(given)
    if y is None:
        torch.nn.functional.mse_loss(output, given).backward()
    else:
        torch.nn.functional.cross_entropy(output, torch.from_numpy(y).long()).backward()
    found = {n: p.grad.double().numpy().copy() for n, p in model.named_parameters() if p.grad is not None}
    model.float()
    return found


def settled(spec: str) -> Case:
    """(model in eval mode whose norms have seen data, a batch of four, their targets or None, the loss)."""
    model, example, loss = make(spec, seed=0)
    torch.manual_seed(1)
    for norm in model.modules():
        if isinstance(norm, nn.modules.batchnorm._BatchNorm):
            norm.momentum = None  # the mean of all batches seen
    model.train()
    for _ in range(4):
        model(drawn(example, 16))
    x = drawn(example, BATCH)
    with torch.no_grad():
        output = model.eval()(x)
    if loss == "reconstruction":
        return model, x, None, loss
    classes, positions = output.shape[1], tuple(output.shape[2:])
    return model, x, np.random.default_rng(0).integers(0, classes, (BATCH, *positions)).astype(np.int32), loss


def drawn(example: torch.Tensor, count: int) -> torch.Tensor:
    shape = (count, *example.shape[1:])
    if example.is_floating_point():
        return torch.randn(shape)
    return torch.randint(0, int(example.max()) + 1, shape, dtype=example.dtype)
