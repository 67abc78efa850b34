"""Every parameter's gradient, from the interpreter and from native code, is PyTorch's."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

import selvedge as sv
from tests import oracle


@pytest.mark.parametrize("batch", [1, 8])
@pytest.mark.parametrize("spec", oracle.FIVE)
def test_zoo_gradients_are_autograds(spec: str, batch: int) -> None:
    model, example, loss = oracle.zoo_model(spec)
    x, y = oracle.batch_of(example, loss, batch, classes=2)
    plan = sv.plan(model, example, loss=loss, device=oracle.WIDE, batch=batch, optimizer=sv.SGD(lr=0.1, momentum=0.9))
    oracle.assert_gradients(oracle.interpreted_gradients(plan, x, y), model, x, y)
    oracle.assert_gradients(oracle.native_gradients(sv.compile(plan), x, y), model, x, y)


@pytest.mark.parametrize("kind", ["momentum", "adam"])
@pytest.mark.parametrize("spec", oracle.FIVE)
def test_twenty_steps_in_double_are_pytorchs(spec: str, kind: str) -> None:
    model, example, loss = oracle.zoo_model(spec)
    model, example = model.double(), example.double()
    ours = sv.SGD(lr=0.01, momentum=0.9) if kind == "momentum" else sv.Adam(lr=1e-3)
    plan = sv.plan(model, example, loss=loss, device=oracle.WIDE, optimizer=ours, batch=2)
    session = sv.compile(plan)
    twin = copy.deepcopy(model)
    if kind == "momentum":
        theirs: torch.optim.Optimizer = torch.optim.SGD(twin.parameters(), lr=0.01, momentum=0.9)
    else:
        theirs = torch.optim.Adam(twin.parameters(), lr=1e-3)
    for i in range(20):
        x, y = oracle.batch_of(example, loss, 2, classes=2, seed=i)
        theirs.zero_grad()
        oracle.loss_of(twin(x), x, y).backward()
        theirs.step()
        session.step(x, y)
    expected = {n: v.numpy() for n, v in twin.state_dict().items()}
    for name, value in session.state_dict().items():
        assert oracle.relative(np.asarray(value), expected[name]) <= 1e-9, name
