"""PyTorch as the oracle: the same model, the same batch, its gradients; and ours, read out of momentum."""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import nn

import selvedge as sv
from selvedge import zoo

FIVE = (
    "resnet8",
    "ds_cnn",
    "mobilenet_v1_025",
    "deep_autoencoder",
    "mobilenet_v2?width=0.35&resolution=96",
)
# A device without limits, with the widest vectors that the tests' machine runs.
WIDE = sv.Device(name="wide", ram="1GiB", flash="1GiB", vector_bytes=64)


def zoo_model(spec: str, seed: int = 0) -> tuple[nn.Module, torch.Tensor, str]:
    """A zoo model in eval mode whose norms have statistics worth the name."""
    model, example, loss = zoo.make(spec, seed=seed)
    generator = torch.Generator().manual_seed(seed + 1)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1, generator=generator)
            module.running_var.uniform_(0.5, 1.5, generator=generator)
            nn.init.uniform_(module.weight, 0.5, 1.5, generator=generator)
            nn.init.normal_(module.bias, 0, 0.1, generator=generator)
    return model.eval(), example, loss


def batch_of(
    example: torch.Tensor, loss: str, batch: int, classes: int, seed: int = 0, positions: tuple[int, ...] = ()
):
    """(x, y): a random batch, of tokens where the example has them; y, one label for each of ``positions``, is None for
    a reconstruction."""
    generator = torch.Generator().manual_seed(seed)
    shape = (batch, *example.shape[1:])
    if example.is_floating_point():
        x = torch.randn(shape, generator=generator, dtype=example.dtype)
    else:
        x = torch.randint(0, int(example.max()) + 1, shape, generator=generator, dtype=example.dtype)
    y = None if loss == "reconstruction" else torch.randint(0, classes, (batch, *positions), generator=generator)
    return x, y


def positions_of(model: nn.Module, example: torch.Tensor) -> tuple[int, ...]:
    """The axes of the output behind the classes: a label for each."""
    with torch.no_grad():
        return tuple(model(example).shape[2:])


def loss_of(output: torch.Tensor, x: torch.Tensor, y: torch.Tensor | None) -> torch.Tensor:
    if y is None:
        return nn.functional.mse_loss(output, x)
    return nn.functional.cross_entropy(output, y)


def autograd(model: nn.Module, x: torch.Tensor, y: torch.Tensor | None, dtype: torch.dtype) -> dict[str, np.ndarray]:
    """PyTorch's gradients in ``dtype``, as float64 arrays."""
    model = copy.deepcopy(model).to(dtype)
    x = x.to(dtype) if x.is_floating_point() else x
    y = y.to(dtype) if y is not None and y.is_floating_point() else y
    loss_of(model(x), x, y).backward()
    return {n: p.grad.double().numpy() for n, p in model.named_parameters() if p.grad is not None}


def native_gradients(session: sv.Session, x: torch.Tensor, y: torch.Tensor | None) -> dict[str, np.ndarray]:
    """Gradients of a session planned with momentum and run at rate 0: the momentum after the first step."""
    session.step(x, y, lr=0.0)
    return {
        name.removesuffix(".momentum"): array.astype(np.float64)
        for name, array in session.optimizer_state_dict().items()
        if name.endswith(".momentum")
    }


def undecided(model: nn.Module, x: torch.Tensor) -> int:
    """Elements that float32 may put on either side of a kink: inputs of ReLU or ReLU6 within its rounding of 0 or 6.

    There two correct float32 programs differ by a whole branch, not by rounding.
    """
    model = copy.deepcopy(model).double()
    near = 0

    def count(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        nonlocal near
        (v,) = inputs
        noise = 4e-6 * float(v.detach().square().mean().sqrt())
        near += int(((v.abs() < noise) | ((v - 6).abs() < noise)).sum())

    for module in model.modules():
        if isinstance(module, nn.ReLU | nn.ReLU6):
            module.inplace = False
            module.register_forward_pre_hook(count)
    with torch.no_grad():
        model(x.double() if x.is_floating_point() else x)
    return near


def assert_native_gradients(spec: str, batch: int) -> None:
    """Every parameter's gradient of the zoo's ``spec``, from native code at ``batch``, is autograd's."""
    model, example, loss = zoo_model(spec)
    plan = sv.plan(model, example, loss=loss, device=WIDE, batch=batch, optimizer=sv.SGD(lr=0.1, momentum=0.9))
    session = sv.compile(plan)
    positions = positions_of(model, example)
    for seed in range(4):
        x, y = batch_of(example, loss, batch, classes=2, seed=seed, positions=positions)
        session.load_optimizer_state_dict({n: np.zeros_like(v) for n, v in session.optimizer_state_dict().items()})
        try:
            assert_gradients(native_gradients(session, x, y), model, x, y)
        except AssertionError:
            # Another batch is asked only where float32 cannot decide an activation of this one.
            if seed == 3 or not undecided(model, x):
                raise
        else:
            return


def relative(got: np.ndarray, expected: np.ndarray) -> float:
    """|got - expected| / |expected|, norm-wise."""
    return float(np.linalg.norm(got - expected) / (np.linalg.norm(expected) + 1e-30))


def assert_gradients(
    got: dict[str, np.ndarray], model: nn.Module, x: torch.Tensor, y: torch.Tensor | None, tolerance: float = 1e-4
) -> None:
    """Every gradient within ``tolerance`` of autograd, or within 3 x PyTorch's own float32 error where that is larger.

    A gradient that is zero but for rounding (a weight before a constant) is compared to the largest gradient's scale.
    """
    exact = autograd(model, x, y, torch.float64)
    single = autograd(model, x, y, torch.float32)
    assert set(got) == set(exact)
    largest = max(float(np.abs(g).max()) for g in exact.values())
    for name, expected in exact.items():
        if np.abs(expected).max() <= 1e-12 * largest:
            assert np.abs(got[name]).max() <= 1e-5 * largest, name
            continue
        allowed = max(tolerance, 3 * relative(single[name], expected))
        assert relative(got[name], expected) <= allowed, (name, relative(got[name], expected), allowed)
