"""What a session is given: dtypes of the model's own, everything converted before the arena is touched."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import selvedge as sv

from .models import DEVICE, batch, plan, small

X, Y = batch()


class Casting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(x.float())


@pytest.mark.parametrize("kind", [torch.uint8, torch.bool, torch.int32])
def test_a_model_takes_inputs_of_its_own_dtype(kind: torch.dtype) -> None:
    model = Casting()
    x = (torch.tensor([[1, 0, 1, 1], [0, 1, 1, 0]]) * 7).to(kind)
    session = sv.compile(sv.plan(model, x, device=DEVICE))
    np.testing.assert_allclose(session.predict(x), model(x).detach(), rtol=1e-5)
    with pytest.raises(sv.InvalidInput, match="input x is of dtype float32"):
        session.predict(x.float())
    if kind == torch.uint8:
        with pytest.raises(sv.InvalidInput, match=r"input x is 7\.\.300: uint8 holds 0\.\.255"):
            session.predict(np.array([[300, 7, 7, 7], [7, 7, 7, 7]]))


class Sequence(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(6, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(x).view(-1, 2, 5)  # [N, C=2, L=5]


def test_labels_of_a_dense_output_are_bounded_by_its_classes() -> None:
    x = torch.randn(3, 6)
    made = sv.plan(Sequence(), x, device=DEVICE)
    session = sv.compile(made)
    assert session.manifest.classes == 2
    session.step(x, np.ones((3, 5), np.int64))
    with pytest.raises(sv.InvalidInput, match=r"labels must lie in 0\.\.1, or be -100: not counted"):
        session.step(x, np.full((3, 5), 2))
    assert not sv.measured(made).faults


class Calling:
    """A target that predicts while it is read, as a signal handler might."""

    def __init__(self, session: sv.Session) -> None:
        self.session = session

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        self.session.predict(np.zeros_like(X))
        return Y


def test_a_call_in_the_middle_of_another_changes_nothing() -> None:
    session = sv.compile(plan())
    expected = session.evaluate(X, Y)[0]
    assert session.evaluate(X, Calling(session))[0] == expected
    native = session._library.call

    def interrupted(program: str) -> int:
        session.predict(X)
        return native(program)

    session._library.call = interrupted  # type: ignore[method-assign]
    with pytest.raises(sv.SelvedgeError, match="in the middle of a call"):
        session.evaluate(X, Y)
    session._library.call = native  # type: ignore[method-assign]
    assert session.evaluate(X, Y)[0] == expected


@pytest.mark.parametrize("norms", ["frozen", "folded"])
def test_bytes_of_the_arena_are_what_was_learnt(norms: str) -> None:
    taught, fresh = sv.compile(plan(norms)), sv.compile(plan(norms))
    for _ in range(4):
        taught.step(X, Y)
    kept = taught.persistent()
    assert len(kept) == taught.manifest.persistent_bytes
    fresh.load_persistent(kept, steps=4)
    assert fresh.persistent() == kept
    for name, value in taught.state_dict().items():
        assert torch.equal(torch.as_tensor(fresh.state_dict()[name]), value)
    assert [fresh.step(X, Y) for _ in range(3)] == [taught.step(X, Y) for _ in range(3)]
    small().load_state_dict(fresh.state_dict())


def test_bytes_of_another_size_or_not_finite_are_refused_whole() -> None:
    session = sv.compile(plan())
    before = session.persistent()
    entry = session.manifest.state["head.weight"]
    broken = bytearray(before)
    broken[entry.offset : entry.offset + 4] = np.float32(np.nan).tobytes()
    for data, says in ((before[:-1], "bytes"), (bytes(broken), "persistent head.weight is not finite"), ("x", "type")):
        with pytest.raises(sv.InvalidInput, match=says):
            session.load_persistent(data)  # type: ignore[arg-type]
    with pytest.raises(sv.InvalidInput, match="steps"):
        session.load_persistent(before, steps=-1)
    assert session.persistent() == before
    assert session.steps == 0


def test_targets_that_are_probabilities_lie_in_0_to_1() -> None:
    """Beyond them the loss has no least value: it would be learnt without end."""
    model, x = nn.Linear(4, 3), torch.randn(2, 4)
    session = sv.compile(sv.plan(model, x, device=DEVICE, loss="bce_with_logits"))
    edge = np.array([[0.0, 1.0, 0.5], [1.0, 0.0, 0.25]], np.float32)
    before = session.persistent()
    for odd in (-0.5, 1.5):
        with pytest.raises(sv.InvalidInput, match=r"input y is .*: targets of this loss are probabilities: they must"):
            session.step(x, np.where(edge == 0.5, np.float32(odd), edge))
    assert session.persistent() == before
    expected = nn.functional.binary_cross_entropy_with_logits(model(x), torch.from_numpy(edge))
    np.testing.assert_allclose(session.step(x, edge), expected.item(), rtol=1e-5)
    regression = sv.compile(sv.plan(model, x, device=DEVICE, loss="mse"))
    assert np.isfinite(regression.step(x, 3 * edge))
