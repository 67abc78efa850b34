"""Float models: each operator, and the published networks, within 1e-5 of LiteRT's interpreter."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import selvedge as sv
from selvedge.errors import NotSupported
from selvedge.formats import tflite
from selvedge.formats.tflite.floats import FLOATS
from selvedge.formats.tflite.moves import MOVES
from tests.data.folders import fsdd

from .inputs import photographs, spoken
from .litert import Reference, T, written
from .test_compute import INT8
from .test_operators import CASES, Case
from .test_read import published

EXAMPLES = int(os.environ.get("SELVEDGE_EXAMPLES", "40"))
NEAR = 1e-5
PUBLISHED = {
    "anomaly_detection": ("ad01_fp32", "ad01_int8"),
    "image_classification": ("pretrainedResnet", "pretrainedResnet_quant"),
    "visual_wake_words": ("vww_96_float", "vww_96_int8"),
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


@pytest.mark.parametrize("task", PUBLISHED)
def test_a_published_network_is_the_references_and_runs_natively(task: str, tmp_path: Path) -> None:
    name, int8 = PUBLISHED[task]
    path = published(task, name)
    network = sv.load_tflite(path)
    # Real inputs: those of the int8 model, in real numbers.
    model = tflite.read(published(task, int8))
    tensor, kind = model.tensors[model.inputs[0]], INT8[int8][1]
    assert tensor.quant is not None
    whole = photographs(tensor, 2) if kind == "photographs" else spoken(tensor, fsdd(tmp_path, 1), 2, kind)
    session = sv.compile(sv.plan_inference(network, device=sv.Device(ram="64MiB", flash="64MiB", vector_bytes=32)))
    read, reference = tflite.read(path), Reference(path.read_bytes())
    for array in whole:
        x = (tensor.quant.scale[0] * (array.astype(np.float32) - tensor.quant.zero_point[0])).astype(np.float32)
        expected = reference.run([x], [read.outputs[0]])[read.outputs[0]]
        largest = max(1.0, float(np.abs(expected).max()))
        np.testing.assert_allclose(tflite.compute(read, [x])[read.outputs[0]], expected, atol=NEAR * largest)
        np.testing.assert_allclose(session.predict(x), expected, atol=NEAR * largest)


def test_float_operands_beside_int8_weights_are_named() -> None:
    """LiteRT's dynamic range: it rounds activations as it runs, which no row here does."""
    with pytest.raises(NotSupported, match="CONV_2D of float32 and int8"):
        tflite.graph(tflite.read(published("keyword_spotting", "kws_ref_model_float32")))
