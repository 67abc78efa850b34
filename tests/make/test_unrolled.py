"""Recurrent layers in runtimes without them: unrolled over time, they predict and learn as in our own code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import selvedge as sv
from selvedge.make.verify import verify
from tests.oracle import WIDE, assert_gradients


class Last(nn.Module):
    """The last step of time of ``cell``, and a class of it."""

    def __init__(self, cell: nn.Module, size: int) -> None:
        super().__init__()
        self.cell, self.head = cell, nn.Linear(size, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.cell(x)[0][:, -1])


CELLS = {
    "gru": lambda: Last(nn.GRU(5, 4, batch_first=True), 4),
    "lstm of two layers": lambda: Last(nn.LSTM(5, 4, num_layers=2, batch_first=True), 4),
    "gru both ways": lambda: Last(nn.GRU(5, 4, batch_first=True, bidirectional=True), 8),
    "rnn": lambda: Last(nn.RNN(5, 4, batch_first=True), 4),
}


@pytest.mark.parametrize("target", ["onnx", "litert"])
@pytest.mark.parametrize("cell", CELLS)
def test_a_recurrent_network_learns_there_as_in_pytorch(cell: str, target: str, tmp_path: Path) -> None:
    """Gradients, read out of the momentum, from autograd; and three steps as in our own code."""
    pytest.importorskip("onnxruntime" if target == "onnx" else "ai_edge_litert")
    torch.manual_seed(0)
    model = CELLS[cell]()
    plan = sv.plan(model, torch.zeros(2, 6, 5), device=WIDE, optimizer=sv.SGD(lr=0.1, momentum=0.9), name="net")
    there = sv.emit(plan, target, tmp_path / "there")
    assert all(v.first is None for v in verify(there, beside=sv.emit(plan, "c", tmp_path / "c")))
    session = sv.load(there)
    x, y = torch.randn(2, 6, 5), torch.tensor([0, 2])
    session.step(x, y, lr=0.0)
    moved = session.optimizer_state_dict().items()
    got = {n.removesuffix(".momentum"): np.asarray(a, np.float64) for n, a in moved if n.endswith(".momentum")}
    assert_gradients(got, model, x, y)
    losses = [session.step(x, y) for _ in range(20)]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("steps", [6, 25])
@pytest.mark.parametrize("target", ["onnx", "litert", "litert-micro"])
def test_a_recurrent_network_predicts_there(target: str, steps: int, tmp_path: Path) -> None:
    """Also of more steps than a runtime joins at a time."""
    pytest.importorskip({"onnx": "onnxruntime", "litert": "ai_edge_litert", "litert-micro": "tflite_micro"}[target])
    torch.manual_seed(0)
    model = CELLS["gru"]().eval()
    folder = sv.emit(sv.plan_inference(model, torch.zeros(1, steps, 5), name="net"), target, tmp_path / "there")
    x = torch.randn(1, steps, 5)
    with torch.no_grad():
        np.testing.assert_allclose(sv.load(folder).predict(x.numpy()), model(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("cell", CELLS)
def test_a_file_of_a_recurrent_network_predicts_as_pytorch_does(cell: str, tmp_path: Path) -> None:
    """Written by ``save_onnx`` and ``save_tflite``, run by their runtimes; and the ONNX file is read again."""
    onnxruntime = pytest.importorskip("onnxruntime")
    interpreter = pytest.importorskip("ai_edge_litert.interpreter")
    torch.manual_seed(0)
    model, x = CELLS[cell]().eval(), torch.randn(2, 6, 5)
    network, expected = sv.network(model, x), model(x).detach().numpy()
    path = sv.save_onnx(network, tmp_path / "net.onnx")
    (found,) = onnxruntime.InferenceSession(str(path)).run(None, {"x": x.numpy()})
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    again = sv.compile(sv.plan_inference(sv.load_onnx(path)))
    np.testing.assert_allclose(again.predict(x.numpy()), expected, rtol=1e-4, atol=1e-6)
    lite = interpreter.Interpreter(str(sv.save_tflite(network, tmp_path / "net.tflite")))
    lite.allocate_tensors()
    lite.set_tensor(lite.get_input_details()[0]["index"], x.numpy())
    lite.invoke()
    found = lite.get_tensor(lite.get_output_details()[0]["index"])
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    with pytest.raises(sv.InvalidInput, match="path is of type int"):
        sv.save_tflite(network, 3)  # type: ignore[arg-type]
