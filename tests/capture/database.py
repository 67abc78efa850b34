"""PyTorch's own operator database as an oracle: the samples that PyTorch tests its operators with.

``operators()`` gives every entry with float64 samples that can be differentiated; ``compare`` captures one sample and
holds value and gradients against PyTorch's. An operator that is added to the lowering table is found by itself.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils._pytree import tree_flatten, tree_unflatten

from selvedge import ir
from selvedge.capture import capture, gradients

from .parity import restored, stored_inputs

Arrays = Mapping[str, np.ndarray]


@cache
def operators() -> tuple[Any, ...]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.testing._internal.common_methods_invocations import op_db
    return tuple(o for o in op_db if o.supports_autograd and torch.float64 in o.dtypes)


class Sampled(nn.Module):
    """``operator`` on one sample: its differentiable tensors are parameters, all else is fixed."""

    def __init__(self, operator: Any, sample: Any) -> None:
        super().__init__()
        self.operator = operator.op
        flat, self.spec = tree_flatten((sample.input, sample.args, sample.kwargs))
        self.flat = [None if _learns(v) else v for v in flat]
        for i, value in enumerate(flat):
            if _learns(value):
                self.register_parameter(f"p{i}", nn.Parameter(value.detach().clone()))

    def forward(self, one: torch.Tensor) -> Any:
        flat = [getattr(self, f"p{i}") * one if hasattr(self, f"p{i}") else v for i, v in enumerate(self.flat)]
        first, args, kwargs = tree_unflatten(flat, self.spec)
        return self.operator(first, *args, **kwargs)


def _learns(value: object) -> bool:
    return isinstance(value, torch.Tensor) and value.requires_grad and value.is_floating_point()


def samples(operator: Any, most: int | None) -> Iterator[Sampled]:
    """Samples that PyTorch itself computes to tensors from at least one differentiable tensor."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # The generator itself, to be closed here: else the collector closes it in the middle of an export.
        made = operator.sample_inputs_func(operator, "cpu", torch.float64, True)
        every_sample = list(islice(made, most))
        made.close()
        for sample in every_sample:
            model = Sampled(operator, sample)
            if next(model.parameters(), None) is None:
                continue
            try:
                results = model(ONE)
            except RuntimeError:  # a sparse tensor times a number, say
                continue
            every = results if isinstance(results, tuple | list) else (results,)
            if all(isinstance(r, torch.Tensor) and r.dtype != torch.complex128 for r in every):
                yield model


def samples_of(name: str) -> Iterator[Sampled]:
    """Three samples of the operator that ATen calls ``name``."""
    for operator in operators():
        if name in (operator.aten_name, operator.name.rpartition(".")[2]):
            yield from samples(operator, 3)


ONE = torch.ones((), dtype=torch.float64)


def compare(model: Sampled, rng: np.random.Generator) -> set[str]:
    """Assert that the captured sample has PyTorch's values and gradients; returns the rows it is made of.

    Raises ``NotSupported`` where it is refused.
    """
    captured = capture(model, (ONE,))
    rows = {n.op for n in captured.graph.nodes()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = model(ONE)
    every = results if isinstance(results, tuple | list) else (results,)
    found = ir.interpret(captured.graph, stored_inputs(captured, ONE), captured.stored())
    assert len(found) == len(every)
    for (name, array), expected in zip(found.items(), every, strict=True):
        got = captured.layouts[name].restore(array)
        np.testing.assert_allclose(got, expected.detach().numpy(), rtol=1e-7, atol=1e-9, strict=got.dtype.kind == "f")
    first = every[0]
    if not (first.requires_grad and first.numel()):
        return rows
    cotangent = torch.from_numpy(np.asarray(rng.normal(size=tuple(first.shape))))
    (first * cotangent).sum().backward()
    for name, (gradient, seen) in loss_gradients(captured, cotangent.numpy()).items():
        rows |= seen
        expected = model.get_parameter(name).grad
        exact = np.zeros(tuple(model.get_parameter(name).shape)) if expected is None else expected.numpy(force=True)
        np.testing.assert_allclose(gradient, exact, rtol=1e-6, atol=1e-8, err_msg=name)
    return rows


def loss_gradients(captured: Any, cotangent: np.ndarray) -> dict[str, tuple[np.ndarray, set[str]]]:
    """Gradient of the first output under ``cotangent`` by every parameter, zero where none flows, and its rows."""
    y, layout = captured.graph.outputs["output"], captured.layouts["output"]
    weighted = ir.apply("mul", y, ir.constant(layout.store(cotangent).reshape(y.shape)))
    loss = ir.reduce("reduce_sum", weighted, range(len(y.shape))) if y.shape else weighted
    leaves = {n: captured.graph.state[n] for n in captured.trainable if n in captured.graph.state}
    made = gradients(loss, leaves.values())
    # Under names of their own: a result named as a state would be its new value.
    wanted = {f"d {n}": made[v] for n, v in leaves.items() if v in made}
    if not wanted:
        return {n: (np.zeros(captured.layout(n).face), set()) for n in leaves}
    graph = ir.Graph(dict(captured.graph.inputs), captured.graph.state, wanted)
    ir.verify(graph)
    rows = {n.op for n in graph.nodes()}
    found = ir.interpret(graph, stored_inputs(captured, ONE), captured.stored())
    arrays = restored(captured, {name.removeprefix("d "): array for name, array in found.items()})
    return {n: (arrays.get(n, np.zeros(captured.layout(n).face)), rows) for n in leaves}
