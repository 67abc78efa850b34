"""State in fewer bytes: torch.optim with its state quantised and restored at every step, by another hand than ours."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from selvedge import ir
from selvedge.capture import MSE, SGD, Adam, Optimizer, Programs, RMSProp, capture, programs, select

from .parity import stored_inputs

# Suffix of the slot -> PyTorch's name of it.
NAMES = {"momentum": "momentum_buffer", "exp_avg": "exp_avg", "exp_avg_sq": "exp_avg_sq", "square_avg": "square_avg"}
SQUARES = ("exp_avg_sq", "square_avg")
PAIRS: list[tuple[Any, Any]] = [
    (SGD(0.05, momentum=0.9, nesterov=True), lambda p: torch.optim.SGD(p, 0.05, 0.9, nesterov=True)),
    (Adam(0.01, weight_decay=0.1, decoupled=True), lambda p: torch.optim.AdamW(p, 0.01, weight_decay=0.1)),
    (RMSProp(0.01, momentum=0.5), lambda p: torch.optim.RMSprop(p, 0.01, momentum=0.5)),
]


def quantum(array: np.ndarray, square: bool, dtype: str) -> np.ndarray:
    """The gap between the two codes about each element: of its root, where it is a square in 8 bits."""
    if dtype == "bfloat16":
        return 2.0 ** (np.floor(np.log2(np.maximum(np.abs(array), 1e-38))) - 7)
    size = np.sqrt(array) if square else np.abs(array)
    levels = 255 if square else 127
    gaps = np.zeros(size.size)
    for start in range(0, size.size, 64):
        part = size.ravel()[start : start + 64]
        share = part / part.max() if part.max() else part
        gaps[start : start + 64] = part.max() * (2 * np.sqrt(share) / levels + 1 / levels**2) * (1 + 1e-5)
    return gaps.reshape(array.shape)


def values(made: Programs, state: dict[str, np.ndarray], name: str, suffix: str, dtype: str) -> np.ndarray:
    """The slot as numbers, by the numpy meaning of the op that reads it."""
    codes = state[f"{name}.{suffix}"]
    if dtype == "bfloat16":
        return (codes.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    kind = "dequantize_square" if suffix in SQUARES else "dequantize"
    return ir.TABLE[kind].evaluate([codes, state[f"{name}.{suffix}.scale"]], {})[0]


@pytest.mark.parametrize("dtype", ["bfloat16", "int8"])
@pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=lambda v: type(v).__name__)
def test_a_step_from_any_state_is_pytorchs_and_its_state_rounded(ours: Optimizer, theirs: Any, dtype: str) -> None:
    """Thirty steps; before each, PyTorch gets our weights and our state as numbers."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(9, 20), nn.Tanh(), nn.Linear(20, 3)).double()
    chosen: Any = replace(ours, state_dtype=dtype)  # type: ignore[type-var]
    captured = capture(model, torch.zeros(4, 9, dtype=torch.float64))
    made = programs(captured, MSE(), chosen, select(captured, "full"))
    for graph in made.graphs.values():
        ir.verify(graph)
    state = {**captured.stored(), **made.optimizer_state}
    optimizer, parameters = theirs(model.parameters()), dict(model.named_parameters())
    generator = torch.Generator().manual_seed(1)
    for step in range(30):
        x = torch.randn(4, 9, generator=generator, dtype=torch.float64) * 10.0 ** (-step / 10)
        y = torch.randn(4, 3, generator=generator, dtype=torch.float64)
        with torch.no_grad():
            for name, tensor in captured.state_dict(state).items():
                parameters[name].copy_(torch.from_numpy(tensor))
        for name, parameter in parameters.items():
            for suffix in chosen.slots if step else ():
                layout = captured.layout(name)
                known = torch.from_numpy(layout.restore(values(made, state, name, suffix, dtype)))
                optimizer.state[parameter][NAMES[suffix]].copy_(known)
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()
        inputs = {**stored_inputs(captured, x), "y": y.numpy(), "lr": np.array(ours.lr)}
        found = ir.interpret(made.step, inputs, state)
        state |= {name: found[name] for name in made.step.updates}
        assert state["optimizer.rounds"] == step + 1
        for name, parameter in parameters.items():
            layout = captured.layout(name)
            np.testing.assert_allclose(layout.restore(state[name]), parameter.detach(), rtol=1e-9, atol=1e-11)
            for suffix in chosen.slots:
                exact = layout.store(optimizer.state[parameter][NAMES[suffix]].numpy())
                kept, square = values(made, state, name, suffix, dtype), suffix in SQUARES
                gap = quantum(exact, square, dtype)
                off = np.sqrt(kept) - np.sqrt(exact) if square and dtype == "int8" else kept - exact
                assert (np.abs(off) <= gap * (1 + 1e-6)).all(), (name, suffix, np.abs(off / gap).max())
    assert not all(np.array_equal(state[n], 0 * state[n]) for n in made.optimizer_state)


@pytest.mark.parametrize("dtype", ["bfloat16", "int8"])
def test_a_second_moment_follows_its_gradient_down(dtype: str) -> None:
    """Rounded to nearest it would stay for ever where it was: 0.1 % a step is less than half a code."""
    leaf = ir.input_leaf
    spec, kind = ir.Spec((64,)), "_square"
    g, rounds = leaf("g", spec), leaf("rounds", ir.Spec(()))
    if dtype == "int8":
        v = [leaf("v", ir.Spec((64,), "uint8")), leaf("scale", ir.Spec((1,)))]
        old = ir.apply(f"dequantize{kind}", *v)
    else:
        v = [leaf("v", ir.Spec((64,), "uint16"))]
        old = ir.apply("from_bfloat16", *v, dtype="float32")
    new = ir.apply("add", ir.scale(old, 0.999), ir.scale(ir.apply("square", g), 0.001))
    stored = ir.results(f"quantize{kind}", new, rounds) if dtype == "int8" else (ir.apply("to_bfloat16", new, rounds),)
    names = ("v", "scale")[: len(stored)]
    inputs = {x.node.attrs["name"]: x for x in (g, rounds, *v)}
    graph = ir.Graph(inputs, {}, {"old": old, **dict(zip(names, stored, strict=True))})
    kept = {n: np.zeros(x.shape, x.dtype) for n, x in inputs.items()}
    exact, rng = np.zeros(64), np.random.default_rng(0)
    for step in range(3000):
        gradient = rng.normal(0, 1.0 if step < 500 else 0.1, 64).astype(np.float32)
        gradient[0] = 1.0  # one stays large, and so does its block's scale
        found = ir.interpret(graph, {**kept, "g": gradient, "rounds": np.float32(step)}, {})
        kept |= {n: found[n] for n in names}
        exact = 0.999 * exact + 0.001 * gradient**2
    np.testing.assert_allclose(found["old"][1:].mean(), exact[1:].mean(), rtol=0.1)
