"""Integer inputs: token ids and indices; what they look up has autograd's gradients, natively too."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import selvedge as sv
from selvedge.capture import SGD, capture, loss, programs
from selvedge.errors import InvalidInput
from tests import oracle

from .parity import predict

Forward = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class Looked(nn.Module):
    """``function`` of a weight [6, 5] and ids."""

    def __init__(self, function: Forward) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.weight = nn.Parameter(torch.randn(6, 5))
        self.function = function

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.function(self.weight, ids).tanh()


LOOKUPS: dict[str, Forward] = {
    "embedding": lambda w, i: F.embedding(i, w, padding_idx=1),
    "index": lambda w, i: w[i],
    "column": lambda w, i: w[:, i[0]],
    "select": lambda w, i: w.index_select(0, i[0]),
    "gather": lambda w, i: w.gather(1, i.T[:, :2].repeat(1, 2)),
    "pick": lambda w, i: w[torch.arange(6), i[:, 0].repeat(3)],
    "scatter": lambda w, i: w.scatter(1, i.T.repeat(2, 1)[:6], 0.5),
    "scatter_add": lambda w, i: w.scatter_add(0, i[:, :1].repeat(1, 5), 2 * w[:2]),
    "index_add": lambda w, i: w.index_add(0, i[0], w[:3], alpha=0.5),
    "one_hot": lambda w, i: F.one_hot(i.long(), 6).to(w.dtype) @ w,
    "mask": lambda w, i: w[i] * (i != 1)[..., None],
    "bands": lambda w, i: torch.where((i > 1) & (i <= 4), w[i].sum(-1), 0.0),
}


LONG_ALONE = ("scatter", "gather", "scatter_add")  # of indices, PyTorch itself takes int64 alone here
KINDS = [
    (name, d) for name in LOOKUPS for d in (torch.int32, torch.int64) if d == torch.int64 or name not in LONG_ALONE
]


@pytest.mark.parametrize(("name", "dtype"), KINDS)
def test_lookups_learn_natively_as_in_pytorch(name: str, dtype: torch.dtype) -> None:
    model, ids = Looked(LOOKUPS[name]), torch.tensor([[4, 1, 4], [0, 2, 1]], dtype=dtype)
    captured = capture(model, ids)
    np.testing.assert_allclose(predict(captured, ids)["output"], model(ids).detach().numpy(), rtol=1e-6)
    plan = sv.plan(model, ids, loss="mse", device=oracle.WIDE, optimizer=sv.SGD(lr=0.1, momentum=0.9))
    y = torch.randn(model(ids).shape, generator=torch.Generator().manual_seed(2))
    got = oracle.native_gradients(sv.compile(plan), ids, y)
    F.mse_loss(model(ids), y).backward()
    assert oracle.relative(got["weight"], model.weight.grad.double().numpy()) < 1e-5


def test_an_id_out_of_range_is_refused_and_nothing_is_updated() -> None:
    model, ids = Looked(LOOKUPS["embedding"]), torch.tensor([[0, 5]])
    session = sv.compile(sv.plan(model, ids, loss="mse", device=oracle.WIDE))
    before = session.state_dict()["weight"]
    for bad, message in (
        (torch.tensor([[0, 6]]), "index out of range"),
        (torch.tensor([[-1, 0]]), "index out of range"),
        (torch.tensor([[0, 2**31]]), "int32 holds"),
        (torch.tensor([[0.0, 1.0]]), "of dtype float32"),
    ):
        with pytest.raises(InvalidInput, match=message):
            session.step(bad, torch.zeros(1, 2, 5))
        with pytest.raises(InvalidInput, match=message):
            session.predict(bad)
    assert torch.equal(session.state_dict()["weight"], before)


@pytest.mark.parametrize(("count", "sparse"), [(3, True), (6, True), (7, False)])
def test_plain_sgd_moves_the_rows_that_were_read_alone(count: int, sparse: bool) -> None:
    """Where a text is longer than the table the whole gradient is smaller."""
    model = Looked(LOOKUPS["embedding"])
    ids = torch.arange(count)[None] % 5
    captured = capture(model, ids)
    step = programs(captured, loss("mse"), SGD(0.1), captured.trainable).step
    ops = {node.op for node in step.nodes()}
    assert ("scatter_onto" in ops, "scatter_add" in ops) == (sparse, not sparse)
    session = sv.compile(sv.plan(model, ids, loss="mse", device=oracle.WIDE, optimizer=sv.SGD(lr=0.5)))
    y = torch.zeros(1, count, 5)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    for _ in range(3):
        session.step(ids, y, lr=0.5)
        optimizer.zero_grad()
        F.mse_loss(model(ids), y).backward()
        optimizer.step()
    torch.testing.assert_close(session.state_dict()["weight"], model.weight.detach(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("optimizer", [SGD(0.1, momentum=0.9), SGD(0.1, weight_decay=0.1), SGD(0.1, clip_norm=1.0)])
def test_every_other_optimiser_sees_the_whole_gradient(optimizer: SGD) -> None:
    ids = torch.tensor([[0, 2]])
    captured = capture(Looked(LOOKUPS["embedding"]), ids)
    ops = {node.op for node in programs(captured, loss("mse"), optimizer, captured.trainable).step.nodes()}
    assert "scatter_add" in ops
    assert "scatter_onto" not in ops


def test_a_table_shared_with_the_last_layer_learns_from_both() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.table, self.out = nn.Embedding(7, 4), nn.Linear(4, 7, bias=False)
            self.out.weight = self.table.weight

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            return self.out(self.table(ids).mean(1))

    model, ids, y = Tied(), torch.tensor([[0, 2, 2], [6, 1, 0]]), torch.tensor([3, 5])
    session = sv.compile(sv.plan(model, ids, device=oracle.WIDE, optimizer=sv.SGD(lr=0.5)))
    session.step(ids, y, lr=0.5)
    F.cross_entropy(model(ids), y).backward()
    expected = model.table.weight - 0.5 * model.table.weight.grad
    torch.testing.assert_close(session.state_dict()["table.weight"], expected.detach(), rtol=1e-5, atol=1e-6)
