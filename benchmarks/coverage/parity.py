"""One draw against autograd, in float64: every output, and the gradients of parameters and inputs."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from torch import nn

from selvedge import ir
from selvedge.capture import capture, gradients

from .draw import Entry

VALUE, GRADIENT = 1e-8, 1e-6  # relative to the largest number of each array; the promise is 1e-4


class Wrong(AssertionError):
    """A result that is not PyTorch's."""


def _near(what: str, got: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    scale = max(1.0, float(np.abs(expected).max(initial=0)))
    if got.shape != expected.shape or not np.allclose(got, expected, rtol=0, atol=tolerance * scale, equal_nan=True):
        raise Wrong(f"{what}: {got.ravel()[:4]} where PyTorch has {expected.ravel()[:4]}")


def compare(entry: Entry, module: nn.Module, inputs: tuple[torch.Tensor, ...], rng: np.random.Generator) -> None:
    """Raises :class:`Wrong`; or ``NotSupported`` or ``InvalidInput`` for what is refused."""
    module = module.double().eval()
    captured = capture(module, inputs)
    names = list(captured.graph.inputs)
    leaves = [
        x.detach().clone().requires_grad_(x.is_floating_point() and i not in entry.rest) for i, x in enumerate(inputs)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = module(*leaves)
    every = [made] if isinstance(made, torch.Tensor) else _flat(made)
    arrays = {n: captured.layouts[n].store(x.numpy()) for n, x in zip(names, inputs, strict=True)}
    stored = captured.stored()
    found = ir.interpret(captured.graph, arrays, stored)
    for (name, array), expected in zip(found.items(), every, strict=True):
        _near(name, captured.layouts[name].restore(array), expected.detach().numpy(), VALUE)
    first = every[0]
    if not first.requires_grad:
        return
    cotangent = rng.normal(size=tuple(first.shape))
    (first * torch.from_numpy(np.asarray(cotangent))).sum().backward()
    y = captured.graph.outputs["output"]
    along = captured.layouts["output"].store(np.asarray(cotangent)).reshape(y.shape)
    weighted = ir.apply("mul", y, ir.constant(along))
    loss = ir.reduce("reduce_sum", weighted, range(len(y.shape))) if y.shape else weighted
    values = {
        **{n: captured.graph.inputs[n] for n in names},
        **{n: captured.graph.state[n] for n in captured.trainable},
    }
    wanted = {n: v for n, v in values.items() if v.spec.is_float}
    flowing = gradients(loss, wanted.values())
    asked = {f"d {n}": flowing[v] for n, v in wanted.items() if v in flowing}
    graph = ir.Graph(dict(captured.graph.inputs), captured.graph.state, asked)
    got = ir.interpret(graph, arrays, stored) if graph.outputs else {}
    exact = {**dict(zip(names, leaves, strict=True)), **dict(module.named_parameters())}
    for name in wanted:
        tensor = exact[name]
        if not tensor.requires_grad:
            continue
        expected = np.zeros(tuple(tensor.shape)) if tensor.grad is None else tensor.grad.numpy(force=True)
        layout = captured.layouts[name] if name in names else captured.layout(name)
        array = got.get(f"d {name}")
        own = np.zeros(expected.shape) if array is None else layout.restore(np.asarray(array))
        _near(f"the gradient of {name}", own, expected, GRADIENT)


def _flat(made: object) -> list[torch.Tensor]:
    if isinstance(made, torch.Tensor):
        return [made]
    return [t for part in made for t in _flat(part)] if isinstance(made, tuple | list) else []
