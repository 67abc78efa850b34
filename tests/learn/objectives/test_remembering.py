"""Labels, stored logits and a teacher in one target: the compiled step is PyTorch's, of the papers' own losses."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import selvedge as sv
from selvedge.errors import InvalidInput
from selvedge.learn.objectives.teacher import Teacher
from selvedge.learn.objectives.wanted import Wanted

N, C, T, RATE = 6, 5, 2.0, 0.1


def net() -> nn.Sequential:
    torch.manual_seed(4)
    return nn.Sequential(nn.Linear(7, 9), nn.ReLU(), nn.Linear(9, C))


@lru_cache(maxsize=1)
def compiled() -> tuple[Any, dict[str, np.ndarray]]:
    made = sv.compile(sv.plan(net(), torch.zeros(N, 7), loss=sv.remembering(C, T), optimizer=sv.SGD(RATE)))
    return made, made.snapshot()


def session() -> Any:
    made, start = compiled()
    made.restore(start, 0)
    return made


def given(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(N, 7)).astype(np.float32)
    return x, rng.integers(0, C, N).astype(np.int32), rng.normal(size=(N, C)).astype(np.float32) * 3


def agrees(x: np.ndarray, target: np.ndarray, loss: Any) -> None:
    """One step of both from the same weights: the loss, and every weight afterwards."""
    ours, theirs = session(), net()
    optimizer = torch.optim.SGD(theirs.parameters(), RATE)
    value = loss(theirs(torch.from_numpy(x)))
    value.backward()
    optimizer.step()
    assert ours.step(x, target) == pytest.approx(value.item(), rel=2e-5)
    for name, array in ours.state_dict().items():
        np.testing.assert_allclose(np.asarray(array), theirs.state_dict()[name].numpy(), rtol=2e-4, atol=2e-6)


@pytest.mark.parametrize("seed", range(3))
def test_labels_are_cross_entropy(seed: int) -> None:
    x, y, _ = given(seed)
    agrees(x, Wanted(N, C).label(y).target, lambda z: F.cross_entropy(z, torch.from_numpy(y).long()))


@pytest.mark.parametrize("seed", range(3))
def test_dark_experience_replay_is_the_papers_sum(seed: int) -> None:
    """Half of the batch is new; the other has labels and logits: CE + alpha MSE + beta CE, each a mean of its own."""
    x, y, stored = given(seed)
    half, labels = N // 2, torch.from_numpy(y).long()
    wanted = Wanted(N, C).label(y[:half], 2.0, slice(0, half)).label(y[half:], 2 * 0.5, slice(half, N))
    wanted.logits(stored[half:], 2 * 0.3, slice(half, N))

    def loss(z: torch.Tensor) -> torch.Tensor:
        dark = F.mse_loss(z[half:], torch.from_numpy(stored[half:]))
        return F.cross_entropy(z[:half], labels[:half]) + 0.3 * dark + 0.5 * F.cross_entropy(z[half:], labels[half:])

    agrees(x, wanted.target, loss)


@pytest.mark.parametrize("known", [[0, 1], [4, 2, 3], [0, 1, 2, 3, 4]])
def test_a_teacher_teaches_the_classes_that_it_knows(known: list[int]) -> None:
    x, y, told = given(7)
    mask = np.isin(np.arange(C), known)

    def loss(z: torch.Tensor) -> torch.Tensor:
        own = F.log_softmax(z[:, sorted(known)] / T, 1)
        p = F.softmax(torch.from_numpy(told)[:, sorted(known)] / T, 1)
        return F.cross_entropy(z, torch.from_numpy(y).long()) - T * T * (p * own).sum(1).mean()

    agrees(x, Wanted(N, C, T).label(y).taught(told, mask, 1.0).target, loss)


def test_a_teacher_says_what_it_said_and_leaves_no_trace() -> None:
    own, (x, y, _) = session(), given(1)
    teacher, said = Teacher(own), own.predict(x).copy()
    target = Wanted(N, C).label(y).target
    own.step(x, target)
    now = own.snapshot()
    np.testing.assert_array_equal(teacher.logits(x), said)
    assert not np.array_equal(own.predict(x), said)
    assert all(now[n].tobytes() == a.tobytes() for n, a in own.snapshot().items())
    assert (own.steps, teacher.bytes) == (1, 4 * (7 * 9 + 9 + 9 * C + C))


def test_what_a_target_cannot_hold_is_one_line() -> None:
    y, z = np.zeros(2, np.int32), np.zeros((2, C), np.float32)
    for made, said in (
        (lambda: sv.remembering(1), "classes is 1"),
        (lambda: sv.remembering(C, 0.0), "temperature"),
        (lambda: Wanted(0, C), "0 samples"),
        (lambda: Wanted(2, C, float("nan")), "temperature"),
        (lambda: Wanted(2, C).label(y + C), f"0..{C - 1}"),
        (lambda: Wanted(2, C).label(y - 1), "y is -1 for one of them: give a class"),
        (lambda: Wanted(2, C).label(y + 0.5), r"y is float64\[2\]"),
        (lambda: Wanted(2, C).label(y, rows=np.array([0, 2])), r"rows is .*: give numbers of samples, 0..1"),
        (lambda: Wanted(2, C).label(y, "a"), "weight is a"),  # type: ignore[arg-type]
        (lambda: Wanted(2, C).taught(z, np.arange(C), 1.0), "known is int64"),
        (lambda: Wanted(2, C).taught(z.astype(str), np.ones(C, bool), 1.0), "teacher is <U32"),
        (lambda: Wanted(2, C).label(y[:1]), "2 samples"),
        (lambda: Wanted(2, C).label(y, -1.0), "weight is -1"),
        (lambda: Wanted(2, C).logits(z[:, 1:], 1.0), "finite numbers"),
        (lambda: Wanted(2, C).logits(z * np.nan, 1.0), "finite numbers"),
        (lambda: Wanted(2, C).taught(z, np.zeros(C, bool), 1.0), "one of them true"),
    ):
        with pytest.raises(InvalidInput, match=said):
            made()
