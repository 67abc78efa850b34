"""Each row on its own, of shapes, strides, padding, groups, scales and zero points drawn by hypothesis: written, it is
within one step in ONNX Runtime; read again, it is the same bit by bit."""

from __future__ import annotations

import os

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selvedge import ir
from selvedge.formats import onnx as formats
from selvedge.formats import tflite
from tests.formats.tflite.litert import written as tflite_file
from tests.formats.tflite.test_floats import real_case
from tests.formats.tflite.test_operators import CASES, values

from .runtime import run, steps

EXAMPLES = int(os.environ.get("SELVEDGE_EXAMPLES", "40"))
CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
FLOATS = sorted(set(CASES) - {"QUANTIZE", "DEQUANTIZE"})


def drawn(operator: str, seed: int, floats: bool) -> tuple[ir.Graph, dict[str, np.ndarray]]:
    """A graph of one operator, and its inputs."""
    r = np.random.default_rng(seed)
    case = real_case(operator, r) if floats else CASES[operator](r)
    model = tflite.parse(tflite_file(case.operator, case.inputs, case.output, case.options, case.kind))
    graph = tflite.graph(model).frozen()
    given = [t for t in case.inputs if t.data is None]
    arrays = [r.normal(size=t.shape).astype(np.float32) if floats else values(t, r) for t in given]
    return graph, dict(zip(graph.inputs, arrays, strict=True))


def again(read: formats.Read, arrays: dict[str, np.ndarray]) -> np.ndarray:
    """What the graph that was read gives, in the file's order of axes."""
    layouts = {n: read.layouts[n] for n in (*arrays, "output") if n in read.layouts}
    stored = {n: layouts[n].store(a) if n in layouts else a for n, a in arrays.items()}
    made = ir.interpret(read.graph, stored, {})["output"]
    return layouts["output"].restore(made) if "output" in layouts else made


@pytest.mark.parametrize("operator", CASES)
@settings(max_examples=EXAMPLES, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_an_int8_row_is_within_a_step_and_comes_back_as_it_was(operator: str, seed: int) -> None:
    graph, arrays = drawn(operator, seed, floats=False)
    expected = ir.interpret(graph, arrays, {})["output"]
    for form in formats.FORMS if operator in CONVOLUTIONS else formats.FORMS[:1]:
        model = formats.written(graph, "row", form=form)
        onnx.checker.check_model(model, full_check=True)
        assert ("QLinearConv" in {n.op_type for n in model.graph.node}) == (form == "operators")
        assert steps(run(model, arrays)[0], expected) <= 1
        read = formats.graph(formats.parse(model.SerializeToString()))
        ir.verify(read.graph)
        assert [v.spec.quant for v in read.graph.inputs.values()] == [v.spec.quant for v in graph.inputs.values()]
        assert read.graph.outputs["output"].spec.quant == graph.outputs["output"].spec.quant
        np.testing.assert_array_equal(again(read, arrays), expected)


@pytest.mark.parametrize("form", formats.FORMS)
@given(seed=st.integers(0, 2**32 - 1), largest=st.sampled_from([0, 9, 2**21, 2**21 + 1, 2**30]), channels=st.booleans())
@settings(max_examples=EXAMPLES // 2, deadline=None)
def test_a_bias_comes_back_to_the_step(form: str, seed: int, largest: int, channels: bool) -> None:
    """Said in real numbers up to 2^21 steps, beyond in int32; in the runtime too it is the same one."""
    r = np.random.default_rng(seed)
    by, y = ir.Quant((float(np.float32(r.uniform(1e-4, 1))),), (5,)), ir.Quant((0.5,), (1,))
    scales = tuple(float(np.float32(s)) for s in r.uniform(1e-5, 0.1, 7 if channels else 1))
    x = ir.input_leaf("x", ir.Spec((2, 16), "int8", by))
    w = ir.constant(np.zeros((7, 16), np.int8), quant=ir.Quant(scales, (0,), 0 if channels else None))
    bias = r.integers(-largest, largest + 1, 7).astype(np.int32)
    bias[r.integers(7)] = largest
    quants = {"quants": (by, w.spec.quant), "activation": "none"}
    wide = ir.Quant((float(np.float32(max(1e-9, by.scale[0] * max(scales) * largest / 120))),), (0,))
    for quant in (wide, y):
        made = ir.apply("int8_linear", x, w, ir.constant(bias), quant=quant, **quants)
        graph = ir.Graph({"x": x}, {}, {"output": made})
        model = formats.written(graph, "row", form=form)
        onnx.checker.check_model(model, full_check=True)
        assert (onnx.TensorProto.INT32 in {c.data_type for c in model.graph.initializer}) == (largest > 2**21)
        read = formats.graph(formats.parse(model.SerializeToString())).graph
        (row,) = [n for n in read.nodes() if n.op == "int8_linear"]
        np.testing.assert_array_equal(row.inputs[2].node.attrs["value"], bias)
        arrays = {"x": r.integers(-128, 128, (2, 16)).astype(np.int8)}
        assert steps(run(model, arrays)[0], ir.interpret(graph, arrays, {})["output"]) <= 1


@pytest.mark.parametrize("operator", FLOATS)
@settings(max_examples=EXAMPLES, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_float_row_is_onnx_runtimes_and_comes_back_as_it_was(operator: str, seed: int) -> None:
    graph, arrays = drawn(operator, seed, floats=True)
    expected = ir.interpret(graph, arrays, {})["output"]
    model = formats.written(graph, "row")
    onnx.checker.check_model(model, full_check=True)
    assert steps(run(model, arrays)[0], expected) == 0
    read = formats.graph(formats.parse(model.SerializeToString()))
    np.testing.assert_allclose(again(read, arrays), expected, rtol=1e-6, atol=1e-6)
