"""Float models: each operator, and the published networks, within 1e-5 of LiteRT's interpreter."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import selvedge as sv
from selvedge import ir
from selvedge.errors import NotSupported
from selvedge.formats import tflite
from selvedge.formats.tflite.floats import FLOATS
from selvedge.formats.tflite.moves import MOVES
from tests.data.folders import fsdd

from .inputs import photographs, spoken
from .litert import Reference, T, schema, written
from .test_compute import INT8
from .test_operators import CASES, Case
from .test_read import published

EXAMPLES = int(os.environ.get("SELVEDGE_EXAMPLES", "40"))
NEAR = 1e-5
ROOM = sv.Device(ram="64MiB", flash="64MiB", vector_bytes=32)
PUBLISHED = {
    "ad01_fp32": ("anomaly_detection", "ad01_int8"),
    "pretrainedResnet": ("image_classification", "pretrainedResnet_quant"),
    "pretrainedResnet_large_float": ("image_classification", "pretrainedResnet_large_int8"),
    "vww_96_float": ("visual_wake_words", "vww_96_int8"),
}


def real(t: T) -> T:
    """What ``t`` stands for, as float32; lists of axes and shapes stay integers."""
    if t.scale is None:
        return t
    data = t.data
    if data is not None:
        extents = [1] * data.ndim
        extents[t.axis] = -1
        scale = np.atleast_1d(np.asarray(t.scale, np.float32))
        data = (data * (scale.reshape(extents) if scale.size > 1 else scale)).astype(np.float32)
    return T(t.shape, "float32", data=data)


def real_case(operator: str, r: np.random.Generator) -> Case:
    case = CASES[operator](r)
    return Case(operator, [real(t) for t in case.inputs], real(case.output), case.kind, case.options)


def test_every_operator_on_floats_has_a_case() -> None:
    assert set(FLOATS) | set(MOVES) == set(CASES) - {"QUANTIZE", "DEQUANTIZE"}


@pytest.mark.parametrize("operator", sorted(set(CASES) - {"QUANTIZE", "DEQUANTIZE"}))
@settings(max_examples=EXAMPLES, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_an_operator_on_floats_is_the_references(operator: str, seed: int) -> None:
    r = np.random.default_rng(seed)
    case = real_case(operator, r)
    data = written(case.operator, case.inputs, case.output, case.options, case.kind)
    arrays = [r.normal(size=t.shape).astype(np.float32) for t in case.inputs if t.data is None]
    got = tflite.compute(tflite.parse(data), arrays)[len(case.inputs)]
    expected = Reference(data).run(arrays, [len(case.inputs)])[len(case.inputs)]
    assert (got.shape, got.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_allclose(got, expected, rtol=NEAR, atol=NEAR)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_network_is_the_references_and_runs_natively(name: str, tmp_path: Path) -> None:
    task, int8 = PUBLISHED[name]
    path = published(task, name)
    network = sv.load_tflite(path)
    # Real inputs: those of the int8 model, in real numbers.
    model = tflite.read(published(task, int8))
    tensor, kind = model.tensors[model.inputs[0]], INT8[int8][1]
    assert tensor.quant is not None
    whole = photographs(tensor, 2) if kind == "photographs" else spoken(tensor, fsdd(tmp_path, 1), 2, kind)
    session = sv.compile(sv.plan_inference(network, device=ROOM))
    read, reference = tflite.read(path), Reference(path.read_bytes())
    for array in whole:
        x = (tensor.quant.scale[0] * (array.astype(np.float32) - tensor.quant.zero_point[0])).astype(np.float32)
        expected = reference.run([x], [read.outputs[0]])[read.outputs[0]]
        largest = max(1.0, float(np.abs(expected).max()))
        np.testing.assert_allclose(tflite.compute(read, [x])[read.outputs[0]], expected, atol=NEAR * largest)
        np.testing.assert_allclose(session.predict(x), expected, atol=NEAR * largest)


def hybrid(shape: tuple[int, ...], scale: float | list[float], r: np.random.Generator) -> bytes:
    """A convolution of floats with int8 weights (LiteRT's dynamic range) in same padding, with a bias and a ReLU."""
    outs, kernel = shape[0], r.integers(-127, 128, shape).astype(np.int8)
    inputs = [
        T((2, 9, 7, shape[3]), "float32"), T(shape, scale=scale, data=kernel),
        T((outs,), "float32", data=r.normal(size=outs).astype(np.float32)),
    ]  # fmt: skip
    s = schema()
    options = {"padding": s.Padding.SAME, "strideH": 2, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1,
               "fusedActivationFunction": s.ActivationFunctionType.RELU}  # fmt: skip
    return written("CONV_2D", inputs, T((2, 5, 7, outs), "float32"), options, "Conv2DOptions")


@settings(max_examples=EXAMPLES, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_convolution_of_floats_with_int8_weights_rounds_as_litert_does(seed: int) -> None:
    """Each sample by its own largest magnitude; one of zeros, of halves of a step and of denormals too."""
    r = np.random.default_rng(seed)
    data = hybrid((6, int(r.integers(1, 4)), 3, int(r.integers(1, 6))), float(r.uniform(1e-3, 0.1)), r)
    model = tflite.parse(data)
    x = r.normal(size=model.tensors[0].shape).astype(np.float32)
    kind = r.integers(4)
    if kind == 0:
        x[0] = 0
    elif kind == 1:
        x = np.asarray(r.integers(-253, 254, x.shape) / np.float32(2), np.float32)
        x[:, 0, 0, 0] = 127
    elif kind == 2:
        x *= 1e-30
    expected = Reference(data).run([x], [3])[3]
    np.testing.assert_allclose(tflite.compute(model, [x])[3], expected, rtol=NEAR, atol=NEAR)


def test_the_published_file_of_floats_and_int8_weights_is_the_references_and_runs_natively(tmp_path: Path) -> None:
    """Tensor by tensor; on words that were spoken."""
    path = published("keyword_spotting", "kws_ref_model_float32")
    read, reference = tflite.read(path), Reference(path.read_bytes())
    session = sv.compile(sv.plan_inference(sv.load_tflite(path), device=ROOM))
    int8 = tflite.read(published("keyword_spotting", "kws_ref_model"))
    tensor = int8.tensors[int8.inputs[0]]
    assert tensor.quant is not None
    for array in spoken(tensor, fsdd(tmp_path, 1), 4, INT8["kws_ref_model"][1]):
        x = (tensor.quant.scale[0] * (array.astype(np.float32) - tensor.quant.zero_point[0])).astype(np.float32)
        found = tflite.compute(read, [x])
        expected = reference.run([x], list(found))
        for operator in read.operators:
            i = operator.outputs[0]
            largest = max(1.0, float(np.abs(expected[i]).max()))
            where = f"{operator.name} {read.tensors[i].name}"
            np.testing.assert_allclose(found[i], expected[i], atol=NEAR * largest, err_msg=where)
        np.testing.assert_allclose(session.predict(x), expected[read.outputs[0]], atol=NEAR)


def test_what_learns_of_it_rounds_nothing(tmp_path: Path) -> None:
    """Its layers have the real numbers that the weights stand for; the words that it hears are LiteRT's."""
    path = published("keyword_spotting", "kws_ref_model_float32")
    model = tflite.read(path)
    read = tflite.graph(model)
    assert read.real is not None
    made = tflite.learnable(read)
    assert [len(names) for names in made.layers] == [2] * 10
    w = model.tensors[model.operators[0].inputs[1] or 0]
    assert w.quant is not None
    assert w.data is not None
    np.testing.assert_array_equal(made.state["0.weight"], (w.data * np.float32(w.quant.scale[0])).transpose(1, 2, 3, 0))
    int8 = tflite.read(published("keyword_spotting", "kws_ref_model"))
    tensor = int8.tensors[int8.inputs[0]]
    assert tensor.quant is not None
    heard = []
    for array in spoken(tensor, fsdd(tmp_path, 1), 8, INT8["kws_ref_model"][1]):
        x = (tensor.quant.scale[0] * (array.astype(np.float32) - tensor.quant.zero_point[0])).astype(np.float32)
        expected = Reference(path.read_bytes()).run([x], model.outputs)[model.outputs[0]]
        found = ir.interpret(read.real.graph, {"x": x}, read.real.state)["output"]
        np.testing.assert_allclose(found, expected, atol=0.1)
        heard.append((int(found.argmax()), int(expected.argmax())))
    assert all(a == b for a, b in heard)


def test_other_float_operands_beside_int8_weights_are_named() -> None:
    """A scale a channel: LiteRT then rounds what is given in another way, which no row here does."""
    data = hybrid((2, 3, 3, 4), [0.1, 0.2], np.random.default_rng(0))
    with pytest.raises(NotSupported, match="CONV_2D of float32 and int8"):
        tflite.graph(tflite.parse(data))
