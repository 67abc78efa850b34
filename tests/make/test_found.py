"""What reviewers found: kernels whose first loop compares, outputs stored otherwise, rows that see nothing, labels that
do not count, norms without running statistics. Native code, measured, emitted and loaded, against PyTorch."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import selvedge as sv

Fn = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class Choosing(nn.Module):
    """A layer in a loop whose first member is a comparison."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.where(x > 0, self.layer(x), x)


class Attention(nn.Module):
    def __init__(self, mask: torch.Tensor | None) -> None:
        super().__init__()
        self.mixing = nn.Linear(3, 9)
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.mixing(x).chunk(3, -1)
        mask = (x[:, None, :, 0] > 0).expand(-1, 4, 4) if self.mask is None else self.mask
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


class Untracked(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer, self.norm = nn.Linear(4, 5), nn.BatchNorm1d(5, track_running_stats=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.layer(x))


def agrees(model: nn.Module, x: torch.Tensor, y: torch.Tensor, loss: object, value: Fn, folder: Path) -> None:
    """Three steps, the measured bytes, and the artifact."""
    board = sv.Device(name="board", ram="8MiB", flash="8MiB")
    plan = sv.plan(model, x, device=board, loss=loss, optimizer=sv.SGD(lr=0.05))  # type: ignore[arg-type]
    found = sv.measured(plan)
    assert (found.faults, found.arena) == ((), plan.arena_bytes)
    session, twin = sv.compile(plan), copy.deepcopy(model).eval()
    optimizer = torch.optim.SGD(twin.parameters(), lr=0.05)
    for _ in range(3):
        expected = value(twin(x), y)
        optimizer.zero_grad()
        expected.backward()
        optimizer.step()
        assert session.step(x, y) == pytest.approx(expected.item(), abs=1e-5)
    for name, array in session.state_dict().items():
        np.testing.assert_allclose(array, twin.state_dict()[name], atol=1e-5)
    loaded = sv.load(sv.emit(plan, "c", folder / "artifact", learnt=session))
    np.testing.assert_allclose(loaded.predict(x), twin(x).detach(), atol=1e-5)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Linear(6, 6), (2, 6)),
        (nn.Conv2d(2, 2, 3, padding=1), (2, 2, 6, 6)),
        (nn.Conv2d(4, 4, 3, padding=1, groups=4), (1, 4, 6, 6)),
        (nn.AvgPool2d(3, 1, 1), (2, 2, 6, 6)),
        (nn.LayerNorm(6), (3, 6)),
    ],
    ids=lambda v: type(v).__name__ if isinstance(v, nn.Module) else "",
)
def test_a_layer_behind_a_comparison(layer: nn.Module, shape: tuple[int, ...], tmp_path: Path) -> None:
    torch.manual_seed(0)
    first = nn.Sequential(nn.Flatten(1), nn.Linear(int(np.prod(shape[1:])), int(np.prod(shape[1:]))))
    model = nn.Sequential(first, nn.Unflatten(1, shape[1:]), Choosing(layer))
    agrees(model, torch.randn(shape), torch.randn(shape), "mse", F.mse_loss, tmp_path)


def test_hinge(tmp_path: Path) -> None:
    torch.manual_seed(0)
    y = torch.randint(0, 2, (3, 5)).float() * 2 - 1
    agrees(nn.Linear(4, 5), torch.randn(3, 4), y, "hinge", F.hinge_embedding_loss, tmp_path)


@pytest.mark.parametrize("dims", [1, 3])
def test_an_artifact_of_a_line_or_a_volume(dims: int, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[dims - 1](3, 5, 1)
    x, y = torch.randn(2, 3, *([4] * dims)), torch.randint(0, 5, (2, *([4] * dims)))
    agrees(model, x, y, "cross_entropy", F.cross_entropy, tmp_path)


@pytest.mark.parametrize(
    "mask",
    [
        torch.tensor([[True] * 4, [False] * 4, [True] * 4, [True, False] * 2]),
        torch.ones(4, 4, dtype=torch.bool).tril(),
        torch.linspace(-1, 1, 16).reshape(4, 4),
        None,
    ],
    ids=["a row sees nothing", "causal", "added", "of the input"],
)
def test_attention_sees_what_its_mask_says(mask: torch.Tensor | None, tmp_path: Path) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 4, 3)
    x[0, :, 0] = -1  # of the first sample no place is seen
    agrees(Attention(mask), x, torch.randn(2, 4, 3), "mse", F.mse_loss, tmp_path)


@pytest.mark.parametrize("ignored", [-100, 255, -1, 2])
@pytest.mark.parametrize("weighted", [True, False])
def test_a_loss_may_ignore_any_label(ignored: int, weighted: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    weights = torch.tensor([1.0, 2.0, 3.0, 1.0, 1.0]) if weighted else None
    loss = nn.CrossEntropyLoss(weights, ignore_index=ignored, label_smoothing=0.1 * weighted)
    own = sv.TorchLoss(loss, torch.zeros(3, dtype=torch.int64), classes=ignored in (-100, 2))
    y = torch.tensor([ignored, 1, 4])
    agrees(nn.Linear(4, 5), torch.randn(3, 4), y, own, loss, tmp_path)
    session = sv.compile(sv.plan(nn.Linear(4, 5), torch.zeros(3, 4), loss=own))
    with pytest.raises(sv.InvalidInput):
        session.step(torch.zeros(3, 4), [0, 1, 7])


def test_a_batch_of_labels_that_do_not_count_is_refused() -> None:
    session = sv.compile(sv.plan(nn.Linear(4, 5), torch.zeros(2, 4)))
    with pytest.raises(sv.InvalidInput, match="input y is only -100: no label counts"):
        session.step(torch.zeros(2, 4), [-100, -100])


def test_a_norm_without_running_statistics_takes_those_of_the_batch(tmp_path: Path) -> None:
    torch.manual_seed(0)
    agrees(Untracked(), torch.randn(6, 4), torch.randint(0, 5, (6,)), "cross_entropy", F.cross_entropy, tmp_path)


def test_a_live_norm_that_counts_batches_is_refused() -> None:
    model = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5, momentum=None))
    with pytest.raises(sv.NotSupported, match="BatchNorm1d 1 with momentum=None, live is not supported: give it a mom"):
        sv.plan(model, torch.zeros(6, 4), norms="live")
