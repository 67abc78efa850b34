"""What capture decides, seen in a compiled session: results that are state, folds that are loaded, norms of zero."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import selvedge as sv

WIDE = sv.Device(name="wide", ram="1GiB", flash="1GiB", vector_bytes=32)
Pair = tuple[torch.Tensor, torch.Tensor]


class Showing(nn.Module):
    """Its output, and what ``show`` takes of it."""

    def __init__(self, show: Callable[[Showing, torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.fc, self.show = nn.Linear(4, 3), show
        self.register_buffer("offset", torch.randn(3))

    def forward(self, x: torch.Tensor) -> Pair:
        return self.fc(x) + self.offset, self.show(self, x)


SHOWN: dict[str, Callable[[Showing, torch.Tensor], torch.Tensor]] = {
    "a weight": lambda m, x: m.fc.weight,
    "a view of it": lambda m, x: m.fc.weight.t(),
    "a weight times 1": lambda m, x: m.fc.weight * 1,
    "a bias": lambda m, x: m.fc.bias.view(1, 3),
    "a buffer": lambda m, x: m.offset,
    "a constant": lambda m, x: torch.zeros_like(x) + 2,
    "the input": lambda m, x: x,
}


@pytest.mark.parametrize("name", SHOWN)
def test_state_can_be_a_result(name: str) -> None:
    torch.manual_seed(0)
    model, x = Showing(SHOWN[name]).eval(), torch.randn(2, 4)
    session = sv.compile(sv.plan(model, x, loss="mse", device=WIDE, optimizer=sv.SGD(lr=0.1)))
    for _ in range(2):
        for got, expected in zip(session.predict(x), model(x), strict=True):
            np.testing.assert_allclose(got, expected.detach().numpy(), rtol=1e-5, atol=1e-6)
        session.step(x, torch.zeros(2, 3))
        model.load_state_dict(session.state_dict())


class Bare(nn.Module):
    """A fold whose bias PyTorch has no name for."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4, affine=False)
        self.fc = nn.Linear(4, 3)
        nn.init.normal_(self.norm.running_mean)
        nn.init.uniform_(self.norm.running_var, 0.5, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(F.relu(self.norm(self.conv(x))).mean((2, 3)))


def test_another_state_is_the_same_under_frozen_and_folded_norms(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, other, x = Bare().eval(), Bare().eval(), torch.randn(2, 3, 5, 5)
    for norms in ("frozen", "folded"):
        plan = sv.plan(model, x, device=WIDE, norms=norms)
        session = sv.compile(plan)
        session.load_state_dict(other.state_dict())
        loaded = sv.load(sv.emit(plan, "c", tmp_path / norms, learnt=other.state_dict()))
        for made in (session, loaded):
            np.testing.assert_allclose(made.predict(x), other(x).detach().numpy(), rtol=1e-5, atol=1e-6)
        assert ("1 batch norm became part of the layer before" in str(plan)) == (norms == "folded")


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"fc.bias": torch.full((3,), torch.nan)}, "state fc.bias is not finite"),
        ({"fc.bias": torch.ones(3, dtype=torch.complex64)}, "state fc.bias is of dtype complex64"),
        ({"fc.bias": torch.ones(3, dtype=torch.bfloat16)}, "state fc.bias is Tensor: give an array of numbers"),
        ({"fc.bias": ["a", "b", "c"]}, "state fc.bias is of dtype <U1"),
        ({"norm.running_var": torch.full((4,), -1.0)}, "state norm.running_var is -1 in a channel"),
        ({"norm.num_batches_tracked": torch.tensor(1.7)}, "state norm.num_batches_tracked is not whole"),
    ],
)
def test_bad_state_is_neither_emitted_nor_loaded(bad: dict[str, object], says: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    plan = sv.plan(Bare().eval(), torch.randn(2, 3, 5, 5), device=WIDE)
    state = {**Bare().state_dict(), **bad}
    session = sv.compile(plan)
    for use in (lambda: session.load_state_dict(state), lambda: sv.emit(plan, "c", tmp_path / "out", learnt=state)):
        with pytest.raises(sv.InvalidInput) as error:
            use()
        assert str(error.value).startswith(says)
    assert not (tmp_path / "out").exists()


class Unit(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 3, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.fc(x)
        return F.normalize(h) + h.std(1, keepdim=True)


def test_a_row_of_zeros_destroys_no_weights() -> None:
    torch.manual_seed(0)
    model, x = Unit().double().eval(), torch.randn(2, 4).double()
    x[0] = 0
    session = sv.compile(sv.plan(model, x, loss="mse", device=WIDE, optimizer=sv.SGD(lr=0.1)))
    F.mse_loss(model(x), torch.ones(2, 3).double()).backward()
    session.step(x, torch.ones(2, 3).double())
    expected = model.fc.weight - 0.1 * model.fc.weight.grad
    np.testing.assert_allclose(session.state_dict()["fc.weight"], expected.detach().numpy(), rtol=1e-9)
