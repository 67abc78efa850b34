"""Native CTC against PyTorch's, and what it can learn."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import selvedge as sv
from tests import oracle


def _net(classes: int = 5) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv1d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv1d(8, classes, 1))


def _theirs(model: nn.Module, x: torch.Tensor, y: torch.Tensor, blank: int, zero: bool) -> torch.Tensor:
    logp = model(x).log_softmax(1).permute(2, 0, 1)
    counts = (y != blank).long().cumprod(1).sum(1)
    return F.ctc_loss(logp, y.long(), torch.full((len(x),), logp.shape[0]), counts, blank=blank, zero_infinity=zero)


@pytest.mark.parametrize(("blank", "longest", "zero"), [(0, 3, False), (2, 4, True), (4, 1, False)])
def test_native_steps_are_pytorchs(blank: int, longest: int, zero: bool) -> None:
    model, x = _net(), torch.randn(4, 3, 6 if zero else 10, generator=torch.Generator().manual_seed(1))
    rng = np.random.default_rng(blank)
    labels = rng.integers(0, 4, (4, longest))
    labels += labels >= blank
    if zero:
        labels[0] = labels[0, 0]  # the same label so often that there are too few steps for it
    y = torch.from_numpy(np.where(np.arange(longest) < np.array([longest, 1, 0, longest])[:, None], labels, blank))
    loss = sv.CTC(longest, blank, zero)
    session = sv.compile(sv.plan(model, x, loss=loss, device=oracle.WIDE, optimizer=sv.SGD(lr=0.1, momentum=0.9)))
    twin = copy.deepcopy(model)
    optimizer = torch.optim.SGD(twin.parameters(), lr=0.1, momentum=0.9)
    for _ in range(5):
        optimizer.zero_grad()
        expected = _theirs(twin, x, y, blank, zero)
        expected.backward()
        optimizer.step()
        assert session.step(x, y) == pytest.approx(float(expected.detach()), rel=1e-4)
    found = session.state_dict()
    for name, value in twin.state_dict().items():
        np.testing.assert_allclose(found[name], value.numpy(), rtol=1e-3, atol=1e-5, err_msg=name)


def test_predicted_bytes_are_measured_bytes() -> None:
    plan = sv.plan(_net(), torch.randn(2, 3, 10), loss=sv.CTC(3), device=oracle.WIDE)
    found = sv.measured(plan)
    assert not found.faults
    assert found.arena == plan.arena_bytes


def test_too_few_steps_leave_everything_as_it_was() -> None:
    session = sv.compile(sv.plan(_net(), torch.randn(1, 3, 3), loss=sv.CTC(3), device=oracle.WIDE))
    before = session.snapshot()
    with pytest.raises(sv.NotFinite):
        session.step(torch.randn(1, 3, 3), torch.tensor([[1, 1, 1]]))
    for name, value in session.snapshot().items():
        np.testing.assert_array_equal(value, before[name])


def test_it_learns_to_read_a_sequence() -> None:
    """Each third of the steps is a bump in one of three channels: its label."""
    rng = np.random.default_rng(0)

    def drawn(n: int) -> tuple[np.ndarray, np.ndarray]:
        y = rng.integers(1, 4, (n, 3))
        x = rng.normal(0, 0.3, (n, 3, 12)).astype(np.float32)
        for i, row in enumerate(y):
            for j, label in enumerate(row):
                x[i, label - 1, 4 * j : 4 * j + 2] += 2
        return x, y.astype(np.int32)

    session = sv.compile(
        sv.plan(_net(4), torch.zeros(8, 3, 12), loss=sv.CTC(3), device=oracle.WIDE, optimizer=sv.Adam(lr=0.02))
    )
    for _ in range(150):
        session.step(*drawn(8))
    x, y = drawn(8)
    read = []
    for path in session.predict(x).argmax(1):
        kept = [c for i, c in enumerate(path) if c and (i == 0 or c != path[i - 1])]
        read.append(kept)
    assert sum(r == list(t) for r, t in zip(read, y, strict=True)) >= 7


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: sv.CTC(0), "CTC longest is 0: give a whole number >= 1"),
        (lambda: sv.CTC(2, blank=-1), "CTC blank is -1"),
        (lambda: sv.CTC(2, zero_infinity=1), "CTC zero_infinity is 1: give True or False"),
        (lambda: sv.plan(_net(), torch.zeros(1, 3, 5), loss=sv.CTC(2, blank=5)), r"classes 0\.\.4"),
        (lambda: sv.plan(nn.Linear(3, 2), torch.zeros(1, 3), loss=sv.CTC(2)), r"not \[samples, classes, steps\]"),
    ],
)
def test_what_means_nothing_is_refused(make, message) -> None:
    with pytest.raises(sv.InvalidInput, match=message):
        make()
