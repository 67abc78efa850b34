"""A .tflite file is planned for training: a float one learns as its module does, an int8 one behind its int8 layers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import selvedge as sv
from selvedge import ir
from selvedge.errors import InvalidInput, NotSupported
from selvedge.formats import tflite
from tests.formats.tflite.test_read import FILES, published
from tests.formats.tflite.test_write import quantised
from tests.oracle import WIDE, zoo_model

PUBLISHED = [(task, name) for task, names in FILES.items() for name in names]


def test_a_float_file_learns_as_the_module_that_it_was_made_of(tmp_path: Path) -> None:
    """The same losses, step by step, and the same weights under other names: batch norm is folded in both."""
    model, example, _ = zoo_model("ds_cnn")
    path = sv.save_tflite(sv.network(model, example), tmp_path / "net.tflite")
    file = sv.learnable_tflite(path)
    told = {"device": WIDE, "optimizer": sv.SGD(lr=0.01, momentum=0.9)}
    own = sv.compile(sv.plan(model, example, norms="folded", **told))
    read = sv.compile(sv.plan(file, file.example, **told))
    x, y = np.random.default_rng(0).standard_normal(example.shape).astype(np.float32), np.array([3])
    for _ in range(3):
        assert read.step(x.transpose(0, 2, 3, 1), y) == pytest.approx(own.step(x, y), rel=1e-4)
    assert list(read.state_dict())[-2:] == ["9.weight", "9.bias"]


def test_the_last_layers_of_an_int8_file_learn_as_the_floats_that_they_stand_for(tmp_path: Path) -> None:
    """The head against PyTorch, of what the int8 layers before it give; those are as they were."""
    network = quantised("ds_cnn")
    path = sv.save_tflite(network, tmp_path / "net.tflite")
    file = sv.learnable_tflite(path)
    session = sv.compile(sv.plan(file, file.example, device=WIDE, optimizer=sv.SGD(lr=0.1)))
    x = np.random.default_rng(0).standard_normal((1, 49, 10, 1)).astype(np.float32)
    whole = tflite.graph(tflite.read(path)).frozen()
    last = [n for n in whole.nodes() if n.op == "int8_linear"][-1]
    codes = ir.evaluate_node(ir.apply("quantise", ir.input_leaf("x", ir.Spec(x.shape)),
                                      quant=whole.inputs["x"].spec.quant).node, [x])[0]  # fmt: skip
    before = ir.interpret(ir.Graph(whole.inputs, {}, {"f": last.inputs[0]}), {"x": codes}, {})["f"]
    given = last.attrs["quants"][0]
    features = torch.tensor((before.astype(np.float32) - given.zero_point[0]) * given.scale[0]).reshape(1, -1)
    state = session.state_dict()
    assert list(state) == ["9.weight", "9.bias"]
    head = nn.Linear(features.shape[1], len(state["9.bias"]))
    head.load_state_dict({"weight": state["9.weight"], "bias": state["9.bias"]})
    loss = nn.functional.cross_entropy(head(features), torch.tensor([3]))
    loss.backward()
    assert session.step(x, np.array([3])) == pytest.approx(float(loss.detach()), rel=1e-5)
    moved = session.state_dict()
    for name, parameter in (("9.weight", head.weight), ("9.bias", head.bias)):
        np.testing.assert_allclose(moved[name], (parameter - 0.1 * parameter.grad).detach(), rtol=0, atol=1e-6)


def test_a_float_head_behind_an_int8_prefix_learns_in_litert_too(tmp_path: Path) -> None:
    """The prefix stays int8 there: the same losses as by our own code."""
    pytest.importorskip("ai_edge_litert")
    file = sv.learnable_tflite(sv.save_tflite(quantised("ds_cnn"), tmp_path / "net.tflite"))
    plan = sv.plan(file, file.example, device=WIDE, optimizer=sv.SGD(lr=0.1, momentum=0.9))
    here, there = sv.compile(plan), sv.load(sv.emit(plan, "litert", tmp_path / "out"))
    x = np.random.default_rng(0).standard_normal((1, 49, 10, 1)).astype(np.float32)
    losses = [(here.step(x, np.array([3])), there.step(x, np.array([3]))) for _ in range(5)]
    assert losses[-1][1] < losses[0][1]
    for own, other in losses:
        assert other == pytest.approx(own, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("last", [1, 10])
def test_so_many_layers_as_are_asked_for_are_floats(last: int, tmp_path: Path) -> None:
    network = quantised("ds_cnn")
    path = sv.save_tflite(network, tmp_path / "net.tflite")
    file = sv.learnable_tflite(path, last=last)
    assert len(file.captured.layers) == last
    x = np.random.default_rng(0).standard_normal((1, 49, 10, 1)).astype(np.float32)
    answer = network.outputs["output"].quant
    exact = sv.compile(sv.plan_inference(sv.load_tflite(path, floats=True), device=WIDE)).predict(x)
    found = sv.compile(sv.plan(file, file.example, device=WIDE, update="last:1")).predict(x)
    assert np.abs(found - exact).max() <= 6 * answer.scale[0]  # what rounding to int8 in between does not do


@pytest.mark.parametrize(("task", "name"), PUBLISHED)
def test_a_published_file_is_planned_and_learns(task: str, name: str) -> None:
    """The MLPerf Tiny models: float ones whole, int8 ones by their last layer; ten steps, and the loss falls."""
    file = sv.learnable_tflite(published(task, name))
    autoencoder = task == "anomaly_detection"
    plan = sv.plan(
        file, file.example, loss="reconstruction" if autoencoder else "cross_entropy", device=WIDE, batch=4,
        accumulate=4, update="last:1", optimizer=sv.SGD(lr=1e-3),
    )  # fmt: skip
    session = sv.compile(plan)
    shape = (4, *file.example[0].shape[1:])
    x = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    y = None if autoencoder else np.zeros(4, np.int64)
    losses = [session.step(x, y) for _ in range(10)]
    assert losses[-1] < losses[0]


def test_refusals_name_what_to_do(tmp_path: Path) -> None:
    path = sv.save_tflite(quantised("ds_cnn"), tmp_path / "net.tflite")
    file = sv.learnable_tflite(path)
    with pytest.raises(InvalidInput, match="last is 11: the file has 10 layers: give 1 to 10"):
        sv.learnable_tflite(path, last=11)
    with pytest.raises(InvalidInput, match=r"example is of \(2, 49, 10, 1\): the file is for \(1, 49, 10, 1\)"):
        sv.plan(file, torch.zeros(2, 49, 10, 1), device=WIDE)
    with pytest.raises(InvalidInput, match=r"norms is live: a \.tflite file has its norms in its weights"):
        sv.plan(file, file.example, device=WIDE, norms="live")
    with pytest.raises(InvalidInput, match=r"dynamic is given: a \.tflite file is for one shape"):
        sv.plan(file, file.example, device=WIDE, dynamic={0: range(1, 2)})


def test_a_row_that_stands_for_no_float_row_is_named() -> None:
    """Behind the first layer that would be floats."""
    x, q = ir.input_leaf("x", ir.Spec((1, 2), "int8", ir.Quant((0.5,)))), ir.Quant((0.25,))
    w = ir.state_leaf("w", ir.Spec((3, 2), "int8", ir.Quant((1.0,))), "buffer", None)
    first = ir.apply("int8_linear", x, w, quants=(x.spec.quant, w.spec.quant), quant=q, activation="none")
    table = ir.constant(np.arange(-128, 128).astype(np.int8))
    curve = ir.apply("int8_table", first, table, quants=(q,), quant=q)
    read = tflite.Read(ir.Graph({"x": x}, {"w": w}, {"y": curve}), {"w": np.ones((3, 2), np.int8)}, {})
    with pytest.raises(NotSupported, match="int8_table that learns is not supported"):
        tflite.learnable(read)
