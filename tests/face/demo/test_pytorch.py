"""The baseline in PyTorch learns as PyTorch does, and its bytes are those of its tensors."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from selvedge.artifact.preprocess import Preprocess
from selvedge.artifact.schedule import Cosine
from selvedge.face.demo.pytorch import TorchLearner

RAW = np.random.default_rng(0).integers(0, 256, (4, 1, 8, 8), dtype=np.uint8)
LABELS = np.array([0, 1, 2, 0], np.int32)


def learner(*names: str) -> tuple[nn.Module, TorchLearner]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 3))
    return model, TorchLearner(model, names, Preprocess(), Cosine(0.1, steps=10), 0.9)


def test_it_learns_only_what_is_named_on_its_own_copy() -> None:
    model, learns = learner("3.weight", "3.bias")
    before = {n: t.clone() for n, t in model.state_dict().items()}
    losses = [learns.step(RAW, LABELS) for _ in range(5)]
    assert losses[-1] < losses[0]
    after = learns.model.state_dict()
    assert [n for n in before if not torch.equal(before[n], after[n])] == ["3.weight", "3.bias"]
    assert all(torch.equal(before[n], t) for n, t in model.state_dict().items())
    assert learns.predict(RAW).shape == (4, 3)


def test_its_bytes_are_state_momentum_gradients_and_what_lives_beside_them() -> None:
    _, last = learner("3.weight", "3.bias")
    _, full = learner("1.weight", "1.bias", "3.weight", "3.bias")
    head, body = 4 * (32 * 3 + 3), 4 * (64 * 32 + 32)
    # After backward: parameters, momentum and gradients at least; activations at most a few batches of the widest.
    slack = 4 * 4 * 64 * 6
    assert body + 3 * head <= last.step_bytes(RAW, LABELS) <= body + 3 * head + slack
    assert 3 * (body + head) <= full.step_bytes(RAW, LABELS) <= 3 * (body + head) + slack
