"""The published int8 models, tensor by tensor: bit by bit what LiteRT's reference kernels make of the same input."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from selvedge.errors import InvalidInput
from selvedge.formats import tflite
from tests.data.folders import fsdd, shared

from .inputs import photographs, spoken
from .litert import Reference
from .test_read import published

# Inputs of each kind and model; the long proof asks for more.
INPUTS = max(2, int(os.environ.get("SELVEDGE_EXAMPLES", "20")) // 10)
INT8 = {
    "ad01_int8": ("anomaly_detection", "decibels"),
    "kws_ref_model": ("keyword_spotting", "cepstra"),
    "pretrainedResnet_quant": ("image_classification", "photographs"),
    "pretrainedResnet_large_int8": ("image_classification", "photographs"),
    "str_ww_ref_model": ("streaming_wakeword", "unit"),
    "vww_96_int8": ("visual_wake_words", "photographs"),
}


def compared(path: Path, inputs: list[np.ndarray]) -> int:
    """How many tensors were compared; all of them are equal."""
    model, reference, tensors = tflite.read(path), Reference(path.read_bytes()), 0
    for array in inputs:
        got = tflite.compute(model, [array])
        expected = reference.run([array], list(got))
        assert len(got) == 1 + len(model.operators)
        for i, found in got.items():
            assert (found.shape, found.dtype) == (expected[i].shape, expected[i].dtype), model.tensors[i].name
            np.testing.assert_array_equal(found, expected[i], err_msg=model.tensors[i].name)
        tensors += len(got)
    return tensors


def drawn(shape: tuple[int, ...], dtype: str, count: int) -> list[np.ndarray]:
    """All of int8, then only its ends."""
    r = np.random.default_rng(0)
    if dtype == "float32":
        return [r.normal(size=shape).astype(np.float32) for _ in range(2 * count)]
    whole = [r.integers(-128, 128, shape).astype(np.int8) for _ in range(count)]
    return [*whole, *(r.choice(np.array([-128, 127], np.int8), shape) for _ in range(count))]


@pytest.mark.parametrize("name", INT8)
def test_every_tensor_is_the_references_on_drawn_inputs(name: str) -> None:
    path = published(INT8[name][0], name)
    tensor = tflite.read(path).tensors[tflite.read(path).inputs[0]]
    assert compared(path, drawn(tensor.shape, tensor.dtype, INPUTS)) > 0


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fsdd(tmp_path_factory.mktemp("fsdd"), 1)


@pytest.mark.parametrize("name", INT8)
def test_every_tensor_is_the_references_on_real_inputs(name: str, recordings: Path) -> None:
    task, kind = INT8[name]
    path = published(task, name)
    tensor = tflite.read(path).tensors[tflite.read(path).inputs[0]]
    inputs = photographs(tensor, INPUTS) if kind == "photographs" else spoken(tensor, recordings, INPUTS, kind)
    assert len(np.unique(inputs[0])) > 40
    assert compared(path, inputs) > 0


@pytest.mark.parametrize("name", ["vww", "detection", "mcunetv2_large"])
def test_mcunets_own_networks_from_floats_to_floats_are_the_references(name: str) -> None:
    path = shared("mcunet_int8") / f"{name}.tflite"
    tensor = tflite.read(path).tensors[tflite.read(path).inputs[0]]
    assert compared(path, drawn(tensor.shape, tensor.dtype, 1)) > 0


def test_an_input_that_does_not_fit_is_named() -> None:
    model = tflite.read(published("anomaly_detection", "ad01_int8"))
    with pytest.raises(InvalidInput, match="the model has 1"):
        tflite.compute(model, [])
    with pytest.raises(InvalidInput, match=r"give int8 \[1, 640\]"):
        tflite.compute(model, [np.zeros((1, 640), np.float32)])
