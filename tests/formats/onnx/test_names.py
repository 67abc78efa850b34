"""Inputs and outputs keep the names that the user gave them, whatever those are; what no file can hold is one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import selvedge as sv
from selvedge import ir
from selvedge.errors import InvalidInput
from selvedge.formats import onnx as formats

from .runtime import run

# What tensors inside are called while the file is written, and in it.
TAKEN = ("conv_0", "relu_0", "transpose_0", "constant_0", "add_0", "a", "b", "c", "d", "e")


def network(inputs: tuple[str, str], outputs: tuple[str, str]) -> ir.Graph:
    """A convolution of the first input with a ReLU behind it; the second input added to the first."""
    x, y = (ir.input_leaf(name, ir.Spec((1, 4, 4, 2))) for name in inputs)
    w = ir.constant(np.random.default_rng(0).normal(size=(3, 3, 2, 3)).astype(np.float32))
    geometry = {"stride": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1), "groups": 1}
    made = ir.apply("relu", ir.apply("conv2d", x, w, **geometry))
    return ir.Graph({inputs[0]: x, inputs[1]: y}, {}, {outputs[0]: made, outputs[1]: ir.apply("add", x, y)})


@given(st.permutations(TAKEN))
@settings(max_examples=20, deadline=None)
def test_a_name_that_a_tensor_inside_has_too_is_the_users(names: list[str]) -> None:
    graph = network((names[0], names[1]), (names[2], names[3]))
    model = formats.written(graph, "net")
    onnx.checker.check_model(model, full_check=True)
    assert [port.name for port in (*model.graph.input, *model.graph.output)] == names[:4]
    r = np.random.default_rng(1)
    arrays = {name: r.normal(size=(1, 4, 4, 2)).astype(np.float32) for name in names[:2]}
    expected = ir.interpret(graph, arrays, {})
    for name, got in zip(names[2:4], run(model, arrays), strict=True):
        np.testing.assert_allclose(got, expected[name], rtol=1e-5, atol=1e-5)
    assert model.SerializeToString() == formats.written(graph, "net").SerializeToString()
    ir.verify(formats.graph(formats.parse(model.SerializeToString())).graph)


@pytest.mark.parametrize(
    ("inputs", "outputs", "said"),
    [
        (("x", "y"), ("x", "z"), "name of an output is 'x': an input has it"),
        (("x", "y"), ("", "z"), "name of an output is '': ONNX names it"),
        (("", "y"), ("u", "z"), "name of an input is '': ONNX names it"),
        (("x", "y"), ("two\nlines", "z"), r"name of an output is 'two\nlines': ONNX names it"),
        (("x", "a\0b"), ("u", "z"), r"name of an input is 'a\x00b': ONNX names it"),
        (("x", "\ud800"), ("u", "z"), r"name of an input is '\ud800': ONNX names it"),
    ],
)
def test_a_name_that_no_file_can_hold_is_one_line(
    inputs: tuple[str, str], outputs: tuple[str, str], said: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput) as error:
        sv.save_onnx(sv.Network(network(inputs, outputs), "net"), tmp_path / "net.onnx")
    assert str(error.value).startswith(said)
    assert len(str(error.value).splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_names_of_other_scripts_are_kept(tmp_path: Path) -> None:
    graph = network(("вход 1", "x.1"), ("温度", "/out/0"))
    path = sv.save_onnx(sv.Network(graph, "net"), tmp_path / "net.onnx")
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert [port.name for port in (*model.graph.input, *model.graph.output)] == ["вход 1", "x.1", "温度", "/out/0"]
    x = np.ones((1, 4, 4, 2), np.float32)
    np.testing.assert_array_equal(run(model, {"вход 1": x, "x.1": x})[1], x + x)
    assert len(sv.load_onnx(path).outputs) == 2
