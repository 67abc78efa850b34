"""Integers by which rows are looked up, in other runtimes: right where they are in range, else refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import selvedge as sv
from selvedge.errors import SelvedgeError

ROWS = 11
TOKENS = np.array([[0, 10, 3], [7, 7, 1]])


class Tokens(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table, self.head = torch.nn.Embedding(ROWS, 6), torch.nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.head(self.table(x).mean(1))
        return out


@pytest.fixture
def model() -> Tokens:
    torch.manual_seed(0)
    return Tokens().eval()


@pytest.mark.parametrize("target", ["onnx", "litert", "litert-micro", "tvm-c"])
@pytest.mark.parametrize("odd", [-1, -ROWS, ROWS, 1 << 20])
def test_a_token_out_of_range_predicts_nothing(
    model: Tokens, target: str, odd: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The standard of ONNX counts what is below 0 from the end: there it gave the answer to another token."""
    plan = sv.plan_inference(model, torch.from_numpy(TOKENS), name="net")
    session = sv.load(sv.emit(plan, target, tmp_path / "net"))
    expected = model(torch.from_numpy(TOKENS)).detach().numpy()
    np.testing.assert_allclose(session.predict(TOKENS), expected, rtol=1e-5, atol=1e-6)
    wrong = TOKENS.copy()
    wrong[1, 1] = odd
    assert capfd.readouterr().err == ""
    with pytest.raises(SelvedgeError) as refused:
        session.predict(wrong)
    if target != "tvm-c":  # there it is NaN
        told = f"rows are looked up by x ({wrong.min()}..{wrong.max()}): give 0 up to, not including, their number"
        assert told in str(refused.value)
    if target == "onnx":  # once, and not in the runtime's own log as well
        assert capfd.readouterr().err == ""
    np.testing.assert_allclose(session.predict(TOKENS), expected, rtol=1e-5, atol=1e-6)


def test_no_step_is_made_of_a_token_out_of_range(model: Tokens, tmp_path: Path) -> None:
    plan = sv.plan(model, torch.from_numpy(TOKENS), optimizer=sv.SGD(lr=0.1), name="net")
    session = sv.load(sv.emit(plan, "onnx", tmp_path / "net"))
    before, y = session.state_dict(), np.array([0, 2])
    for odd in (-1, ROWS):
        with pytest.raises(SelvedgeError, match="step failed"):
            session.step(np.where(TOKENS == 7, odd, TOKENS), y)
    for name, array in session.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    assert session.step(TOKENS, y) == pytest.approx(sv.compile(plan).step(TOKENS, y), rel=1e-5)


def test_a_file_for_others_has_no_more_in_it_than_the_network(model: Tokens, tmp_path: Path) -> None:
    """And is read again."""
    path = sv.save_onnx(sv.network(model, torch.from_numpy(TOKENS)), tmp_path / "net.onnx")
    read = sv.compile(sv.plan_inference(sv.load_onnx(path)))
    expected = model(torch.from_numpy(TOKENS)).detach().numpy()
    np.testing.assert_allclose(read.predict(TOKENS), expected, rtol=1e-5, atol=1e-6)
