"""Twenty steps of every optimiser in float64 are torch.optim's, through the interpreter."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from selvedge import ir
from selvedge.capture import SGD, Adam, CrossEntropy, Optimizer, Programs, RMSProp, capture, programs, select
from selvedge.errors import InvalidInput

from .parity import stored_inputs

Make = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]
SGD9 = SGD(0.1, momentum=0.9)

PAIRS: list[tuple[Optimizer, Make, float | None]] = [
    (SGD(0.1), lambda p: torch.optim.SGD(p, 0.1), None),
    (SGD(0.1, momentum=0.9), lambda p: torch.optim.SGD(p, 0.1, 0.9), None),
    (SGD(0.1, momentum=0.9, nesterov=True), lambda p: torch.optim.SGD(p, 0.1, 0.9, nesterov=True), None),
    (SGD(0.1, momentum=0.9, dampening=0.3), lambda p: torch.optim.SGD(p, 0.1, 0.9, dampening=0.3), None),
    (SGD(0.1, momentum=0.9, weight_decay=0.01), lambda p: torch.optim.SGD(p, 0.1, 0.9, weight_decay=0.01), None),
    (SGD(0.1, momentum=0.9, clip_value=0.05), lambda p: torch.optim.SGD(p, 0.1, 0.9), 0.05),
    (Adam(0.01), lambda p: torch.optim.Adam(p, 0.01), None),
    (Adam(0.01, (0.8, 0.99), 1e-6, 0.1), lambda p: torch.optim.Adam(p, 0.01, (0.8, 0.99), 1e-6, 0.1), None),
    (Adam(0.01, weight_decay=0.1, decoupled=True), lambda p: torch.optim.AdamW(p, 0.01, weight_decay=0.1), None),
    (Adam(0.01, clip_value=0.02), lambda p: torch.optim.Adam(p, 0.01), 0.02),
    (RMSProp(0.01), lambda p: torch.optim.RMSprop(p, 0.01), None),
    (
        RMSProp(0.01, 0.9, 1e-6, 0.8, 0.01),
        lambda p: torch.optim.RMSprop(p, 0.01, 0.9, 1e-6, 0.01, 0.8),
        None,
    ),
    (RMSProp(0.01, clip_value=0.02), lambda p: torch.optim.RMSprop(p, 0.01), 0.02),
    (replace(SGD9, clip_norm=0.3), lambda p: torch.optim.SGD(p, 0.1, 0.9), None),
    (replace(SGD9, clip_norm=1e3), lambda p: torch.optim.SGD(p, 0.1, 0.9), None),
    (Adam(0.01, weight_decay=0.1, clip_norm=0.2), lambda p: torch.optim.Adam(p, 0.01, weight_decay=0.1), None),
    (RMSProp(0.01, clip_norm=0.2), lambda p: torch.optim.RMSprop(p, 0.01), None),
]


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, padding=1)
        self.bn = nn.BatchNorm2d(4)
        self.head = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.tanh(self.bn(self.conv(x)))
        return self.head((x + torch.tanh(self.conv.bias)[:, None, None]).mean((2, 3)))


def _data(step: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(step)
    x = torch.randn(3, 2, 5, 4, generator=generator, dtype=torch.float64)
    return x, torch.randint(0, 3, (3,), generator=generator)


def _run(programs_: Programs, captured: Any, lrs: list[float]) -> tuple[dict[str, np.ndarray], list[float]]:
    state, losses = {**captured.stored(), **programs_.optimizer_state}, []
    graphs = programs_.learning
    parts = 1 if "step" in graphs else 3

    def call(name: str, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        found = ir.interpret(graphs[name], inputs, state)
        state.update({n: found[n] for n in graphs[name].updates})
        return found

    for step, lr in enumerate(lrs):
        x, y = _data(step)
        if parts == 1:
            losses.append(float(call("step", **stored_inputs(captured, x), y=y.numpy(), lr=np.array(lr))["loss"]))
            continue
        found = [
            float(call("accumulate", **stored_inputs(captured, a), y=b.numpy())["loss"])
            for a, b in zip(x.chunk(parts), y.chunk(parts), strict=True)
        ]
        assert state["optimizer.accumulated"] == parts
        call("apply", lr=np.array(lr))
        assert not any(state[n].any() for n in programs_.optimizer_state if "accumulat" in n)
        losses.append(sum(found) / parts)
    return state, losses


@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize(("ours", "theirs", "clip"), PAIRS, ids=lambda v: repr(v) if hasattr(v, "lr") else "")
def test_twenty_steps_are_pytorchs(ours: Optimizer, theirs: Make, clip: float | None, accumulate: int) -> None:
    torch.manual_seed(0)
    model = Small().double().eval()
    captured = capture(model, _data(0)[0][: 3 // accumulate])
    steps = programs(captured, CrossEntropy(0.1), ours, select(captured, "full"), accumulate)
    for graph in steps.graphs.values():
        ir.verify(graph)
    lrs = [ours.lr * (1 - step / 40) for step in range(20)]
    state, losses = _run(steps, captured, lrs)
    optimizer, expected = theirs(model.parameters()), []
    for step, lr in enumerate(lrs):
        optimizer.param_groups[0]["lr"] = lr
        x, y = _data(step)
        optimizer.zero_grad()
        loss = torch.zeros((), dtype=torch.float64)
        for a, b in zip(x.chunk(accumulate), y.chunk(accumulate), strict=True):
            part = F.cross_entropy(model(a), b, label_smoothing=0.1) / accumulate
            part.backward()
            loss += part.detach()
        if clip is not None:
            nn.utils.clip_grad_value_(model.parameters(), clip)
        if ours.clip_norm is not None:
            nn.utils.clip_grad_norm_(model.parameters(), ours.clip_norm)
        optimizer.step()
        expected.append(loss.item())
    np.testing.assert_allclose(losses, expected, rtol=1e-9)
    whole = captured.state_dict(state)
    for name, tensor in model.state_dict().items():
        np.testing.assert_allclose(whole[name], tensor.numpy(), rtol=1e-9, atol=1e-9, err_msg=name)


def test_adam_keeps_its_precision_in_float32() -> None:
    """The first step of Adam is lr * sign(g): 1 - 0.999 in float32 arithmetic would be wrong by 5e-5."""
    torch.manual_seed(0)
    model = Small().eval()
    x, y = _data(0)
    captured = capture(model, x.float())
    steps = programs(captured, CrossEntropy(), Adam(0.01, eps=0.0), ("head.weight",))
    inputs = {**stored_inputs(captured, x.float()), "y": y.numpy(), "lr": np.float32(0.01)}
    state = {**captured.stored(), **steps.optimizer_state}
    found = ir.interpret(steps.step, inputs, state)
    np.testing.assert_allclose(np.abs(found["head.weight"] - state["head.weight"]), 0.01, rtol=2e-5)


def test_only_the_chosen_parameters_have_state() -> None:
    captured = capture(Small().eval(), _data(0)[0].float())
    steps = programs(captured, CrossEntropy(), SGD(0.1, momentum=0.9), ("head.weight",))
    assert steps.updated == ("head.weight",)
    assert list(steps.optimizer_state) == ["head.weight.momentum"]
    assert set(steps.step.updates) == {"head.weight", "head.weight.momentum"}
    assert not any(n.op.startswith("conv2d_") for n in steps.step.nodes())
    assert set(steps.predict.state) <= set(steps.step.state)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SGD(-1), "SGD lr is -1: it must be >= 0"),
        (lambda: SGD(0.1, nesterov=True), "SGD nesterov is True: it needs momentum > 0 and dampening = 0"),
        (lambda: Adam(0.1, (1.0, 0.9)), "Adam beta1 is 1.0: it must be >= 0 and < 1"),
        (lambda: RMSProp(0.1, eps=-1), "RMSProp eps is -1: it must be >= 0"),
        (lambda: SGD(0.1, clip_norm=-1), "SGD clip_norm is -1: it must be >= 0"),
        (lambda: SGD(0.1, clip_norm=1, clip_value=1), "SGD clip_norm is 1.0: give clip_value or clip_norm, not both"),
        (lambda: Adam(0.1, state_dtype="int4"), "Adam state_dtype is int4: give one of bfloat16, int8, or None"),
        (
            lambda: SGD(0.1, state_dtype="int8"),
            "SGD state_dtype is int8: there is no state without momentum: leave it out",
        ),
        (lambda: SGD(float("nan")), "SGD lr is nan: it must be a finite number"),
    ],
)
def test_bad_numbers_are_refused(make, message) -> None:
    with pytest.raises(InvalidInput) as error:
        make()
    assert str(error.value) == message


def test_the_model_is_left_alone() -> None:
    model = Small()
    model.bn.eval()
    before = copy.deepcopy(model.state_dict())
    capture(model, _data(0)[0].float())
    assert [m.training for m in model.modules()] == [True, True, False, True]
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
