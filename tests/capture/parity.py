"""Run captured graphs in the interpreter, with arrays as PyTorch sees them, and hold them against PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from selvedge import ir
from selvedge.capture import Captured, Loss, capture, gradients, loss

Arrays = dict[str, np.ndarray]
Function = Callable[[torch.Tensor], torch.Tensor]


def stored_inputs(captured: Captured, *xs: torch.Tensor) -> Arrays:
    """The example's tensors as the graph's inputs."""
    names = ["x", *(f"x{i}" for i in range(1, len(xs)))]
    return {n: captured.layouts[n].store(x.detach().numpy()) for n, x in zip(names, xs, strict=True)}


def predict(captured: Captured, *xs: torch.Tensor) -> Arrays:
    """Every output, in PyTorch's layout."""
    found = ir.interpret(captured.graph, stored_inputs(captured, *xs), captured.stored())
    return {name: captured.layouts[name].restore(array) for name, array in found.items()}


def parameter_gradients(
    captured: Captured, x: torch.Tensor, y: np.ndarray | None, which: str | Loss = "cross_entropy"
) -> Arrays:
    """The gradient of every trainable parameter under PyTorch's name and in its layout; ``y`` as PyTorch sees it."""
    chosen, output, layout = loss(which), captured.graph.outputs["output"], captured.layouts["output"]
    inputs, arrays = dict(captured.graph.inputs), stored_inputs(captured, x)
    labels = chosen.labels(output.spec, layout)
    target = inputs["x"]
    if labels is not None:
        assert y is not None
        target = inputs["y"] = ir.input_leaf("y", labels[0])
        arrays["y"] = labels[1].store(y)
    value = chosen.of(output, layout, target)
    leaves = {name: captured.graph.state[name] for name in captured.trainable}
    found = gradients(value, leaves.values())
    graph = ir.Graph(inputs, captured.graph.state, {n: found[v] for n, v in leaves.items() if v in found})
    ir.verify(graph)
    return restored(captured, ir.interpret(graph, arrays, captured.stored()))


def restored(captured: Captured, arrays: Mapping[str, np.ndarray]) -> Arrays:
    """Arrays stored like their parameters, in PyTorch's layout."""
    return {name: captured.layout(name).restore(array) for name, array in arrays.items()}


class Wrapped(nn.Module):
    """A function of x * w + b: its gradients say whether the function's gradient is right."""

    def __init__(self, function: Function, channels: int) -> None:
        super().__init__()
        self.function = function
        self.w = nn.Parameter(torch.rand(channels, 1, 1) + 0.5)
        self.b = nn.Parameter(torch.randn(channels, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x * self.w + self.b)


def agree(model: nn.Module, x: torch.Tensor, tolerance: float = 1e-9) -> None:
    """Assert PyTorch's value and gradients of ``model``, in float64."""
    model = model.double().eval()
    x = x.double()
    captured = capture(model, x)
    expected = model(x)
    got = predict(captured, x)["output"]
    np.testing.assert_allclose(got, expected.detach().numpy(), rtol=tolerance, atol=tolerance)
    target = torch.randn(expected.shape, dtype=torch.float64)
    found = parameter_gradients(captured, x, target.numpy(), "mse")
    F.mse_loss(expected, target).backward()
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            zero = np.zeros(parameter.shape)
            np.testing.assert_allclose(found.get(name, zero), parameter.grad.numpy(), rtol=tolerance, atol=tolerance)
