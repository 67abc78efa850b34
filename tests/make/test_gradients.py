"""Every parameter's gradient from native code is PyTorch's; so are twenty steps in double precision."""

from __future__ import annotations

import copy
import os

import numpy as np
import pytest
import torch

import selvedge as sv
from tests import oracle

# The two large networks take minutes to compile in double precision: they run in full in `make prove`.
FULL = os.environ.get("SELVEDGE_FULL") == "1"
IN_DOUBLE = oracle.FIVE if FULL else ("resnet8", "ds_cnn", "deep_autoencoder")
STEPS = 20 if FULL else 4


@pytest.mark.parametrize("batch", [1, 8])
@pytest.mark.parametrize("spec", oracle.FIVE)
def test_native_gradients_are_autograds(spec: str, batch: int) -> None:
    oracle.assert_native_gradients(spec, batch)


@pytest.mark.parametrize("kind", ["momentum", "adam"])
@pytest.mark.parametrize("spec", IN_DOUBLE)
def test_steps_in_double_are_pytorchs(spec: str, kind: str) -> None:
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
    for i in range(STEPS):
        x, y = oracle.batch_of(example, loss, 2, classes=2, seed=i)
        theirs.zero_grad()
        oracle.loss_of(twin(x), x, y).backward()
        theirs.step()
        session.step(x, y)
    expected = {n: v.numpy() for n, v in twin.state_dict().items()}
    for name, value in session.state_dict().items():
        assert oracle.relative(np.asarray(value), expected[name]) <= 1e-9, name
