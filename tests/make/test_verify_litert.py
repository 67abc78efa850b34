"""An artifact's operators beside LiteRT's reference kernels: they agree, and a kernel that is wrong is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import selvedge as sv
from selvedge.make.verify import verify
from tests.formats.tflite.test_write import quantised

interpreter = pytest.importorskip("ai_edge_litert.interpreter")


def plan() -> sv.Plan:
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(2, 3, 3), torch.nn.ReLU(), torch.nn.MaxPool2d(2), torch.nn.Flatten(), torch.nn.Linear(12, 3)
    )
    return sv.plan(model, torch.zeros(2, 2, 6, 6), name="net", optimizer=sv.SGD(lr=0.1, momentum=0.9))


def operators(folder: Path) -> dict[str, int]:
    """Of each signature, those that compute: what only reads and writes variables has no result to compare."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs((folder / "net.tflite").read_bytes(), 0))
    names = {number: name for name, number in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    found = {}
    for s in model.signatureDefs:
        codes = [model.operatorCodes[o.opcodeIndex].builtinCode for o in model.subgraphs[s.subgraphIndex].operators]
        found[s.signatureKey.decode()] = sum("VAR" not in names[c] and names[c] != "CALL_ONCE" for c in codes)
    return found


def test_every_operator_of_every_signature_agrees(tmp_path: Path) -> None:
    """The gradients and the update among them."""
    folder = sv.emit(plan(), "litert", tmp_path / "net")
    found, wanted = verify(folder), operators(folder)
    assert [v.program for v in found] == ["predict", "evaluate", "step"]
    for v, signature in zip(found, ("infer", "evaluate", "train"), strict=True):
        assert v.first is None
        assert v.largest.apart < 1e-5
        assert v.operators == wanted[signature] > 4


def test_an_int8_network_agrees_within_a_step(tmp_path: Path) -> None:
    network = quantised("ds_cnn")
    folder = sv.emit(sv.plan_inference(sv.Network(network.graph, "net")), "litert", tmp_path / "net")
    (found,) = verify(folder)
    assert found.first is None
    assert found.largest.apart <= 1
    assert found.operators == operators(folder)["infer"] > 10


def test_the_first_operator_that_differs_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A runtime whose pool is a little off, and so all that follows is fed other numbers than it should be."""
    folder = sv.emit(plan(), "litert", tmp_path / "net")
    right = interpreter.Interpreter

    class Wrong(right):  # type: ignore[misc,valid-type]
        def __init__(self, *given: Any, **more: Any) -> None:
            super().__init__(*given, **more)
            self.reference = more["experimental_op_resolver_type"] == interpreter.OpResolverType.BUILTIN_REF

        def get_tensor(self, index: int, subgraph: int = 0) -> np.ndarray:
            made = super().get_tensor(index, subgraph)
            pooled = made.shape == (2, 2, 2, 3) and made.dtype == np.float32 and not self.reference
            return made * np.float32(1.01) if pooled else made

    monkeypatch.setattr(interpreter, "Interpreter", Wrong)
    found = verify(folder)[0]
    assert found.first is not None
    assert found.first.op == "MAX_POOL_2D"
    assert found.first.apart == pytest.approx(0.01, rel=1e-3)
    assert str(found).startswith("predict: differs first at operator ")
