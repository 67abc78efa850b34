"""The published files, and the schema's own table: what we read is what LiteRT's generated schema reads."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import numpy as np
import pytest

from selvedge.errors import InvalidInput, NotSupported
from selvedge.formats import tflite
from selvedge.formats.tflite import schema as ours_schema
from selvedge.formats.tflite.flatbuffer import MOST_SHARING, Reader
from selvedge.formats.tflite.schema import OPERATORS
from tests.data.folders import shared

from .litert import T, schema, written
from .said import ACCESSORS, camel, ours, said

FILES = {
    "anomaly_detection": ["ad01_fp32", "ad01_int8"],
    "image_classification": [
        "pretrainedResnet", "pretrainedResnet_quant", "pretrainedResnet_large_float", "pretrainedResnet_large_int8",
    ],
    "keyword_spotting": ["kws_ref_model", "kws_ref_model_float32"],
    "streaming_wakeword": ["str_ww_ref_model"],
    "visual_wake_words": ["vww_96_float", "vww_96_int8"],
}  # fmt: skip


def published(task: str, name: str) -> Path:
    return shared("mlperf_tiny_models") / task / "trained_models" / f"{name}.tflite"


@pytest.mark.parametrize(("task", "name"), [(task, name) for task, names in FILES.items() for name in names])
def test_a_published_file_says_what_the_generated_schema_says(task: str, name: str) -> None:
    path = published(task, name)
    model = tflite.read(path)
    assert ours(model) == said(path.read_bytes())
    for tensor in model.tensors:
        if tensor.data is not None:
            assert (tensor.data.shape, tensor.data.dtype.name) == (tensor.shape, tensor.dtype)
            assert not tensor.data.flags.writeable


def offset(table: str, accessor: str) -> int:
    """The vtable offset in an accessor's generated text."""
    found = re.search(r"_tab\.Offset\((\d+)\)", inspect.getsource(getattr(getattr(schema(), table), accessor)))
    assert found is not None
    return int(found.group(1))


@pytest.mark.parametrize(
    ("enum", "table"),
    [
        ("ModelField", "Model"), ("CodeField", "OperatorCode"), ("SubgraphField", "SubGraph"),
        ("BufferField", "Buffer"), ("TensorField", "Tensor"), ("QuantizationField", "QuantizationParameters"),
        ("OperatorField", "Operator"),
    ],
)  # fmt: skip
def test_the_fields_of_tables_are_the_generated_ones(enum: str, table: str) -> None:
    names = {"OPTIONS": "BuiltinOptions", "OPTIONS_TYPE": "BuiltinOptionsType", "DESCRIPTION": "Description"}
    for field in getattr(ours_schema, enum):
        assert 4 + 2 * field == offset(table, names.get(field.name, camel(field.name)))


def test_the_options_of_operators_are_the_generated_ones() -> None:
    s = schema()
    for kind in OPERATORS.values():
        assert getattr(s.BuiltinOperator, kind.name) == kind.number
        table = next((k for k, v in vars(s.BuiltinOptions).items() if v == kind.options_type), None)
        for option in kind.options:
            many = kind.name == "FULLY_CONNECTED" and option.name == "keep_dims"
            accessor = "KeepNumDims" if many else ACCESSORS[option.name]
            assert 4 + 2 * option.number == offset(str(table), accessor)
            text = inspect.getsource(getattr(getattr(s, str(table)), accessor))
            kinds = {"i": "Int32Flags", "f": "Float32Flags", "bool": "BoolFlags"}
            assert (kinds[option.code] if isinstance(option.code, str) else "Int8Flags") in text
            assert float(eval(re.findall(r"return (\S+)\n", text)[-1])) == option.default
    for names, enum in (
        (ours_schema.PADDING, s.Padding),
        (ours_schema.ACTIVATION, s.ActivationFunctionType),
        (ours_schema.WEIGHTS_FORMAT, s.FullyConnectedOptionsWeightsFormat),
    ):
        assert {n.upper(): i for i, n in enumerate(names)} == {
            k.upper(): v for k, v in vars(enum).items() if not k.startswith("_")
        }
    for number, name in ours_schema.DTYPES.items():
        assert getattr(s.TensorType, name.upper()) == number


def small() -> bytes:
    x, y = T((4,), scale=0.5), T((4,), scale=0.25, zero=3)
    return written("RELU", [x], y)


def test_a_small_file_reads() -> None:
    model = tflite.parse(small())
    assert [t.name for t in model.tensors] == ["t0", "t1"]
    assert model.operators[0].name == "RELU"
    assert (model.inputs, model.outputs) == ((0,), (1,))


def refused(data: bytes, kind: type[Exception], *told: str) -> None:
    with pytest.raises(kind) as error:
        tflite.graph(tflite.parse(data))
    for words in told:
        assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_no_tflite_file_is_refused(tmp_path: Path) -> None:
    for data in (b"", b"TFL3", b"\x10\0\0\0ONNX" + bytes(40), b"\xff\xff\xff\x7fTFL3"):
        refused(data, InvalidInput, "tflite file")
    with pytest.raises(InvalidInput, match="cannot be read"):
        tflite.read(tmp_path / "none.tflite")


def test_an_operator_without_a_meaning_is_named() -> None:
    x, y = T((4,), scale=0.5), T((4,), scale=0.25)
    refused(written("ABS", [x], y), NotSupported, "builtin operator 101", "operator 0", "'t1'")
    halves = [T((4,), "float16"), T((4,), "float16")]
    refused(written("RELU", halves[:1], halves[1]), NotSupported, "RELU of float16", "'t0'")


@pytest.mark.parametrize(
    ("x", "y", "told"),
    [
        (T((4,), scale=0.5), T((5,), scale=0.5), ["'t1'", "[5]", "[4]"]),
        (T((4,)), T((4,), scale=0.5), ["'t0'", "without one scale"]),
        (T((4,), scale=-0.5), T((4,), scale=0.5), ["'t0'", "positive"]),
        (T((4,), scale=float("nan")), T((4,), scale=0.5), ["'t0'", "positive"]),
        (T((4,), scale=0.5, zero=300), T((4,), scale=0.5), ["'t0'", "zero point", "300"]),
        (T((4,), scale=[0.5] * 3), T((4,), scale=0.5), ["'t0'", "3 along axis 0"]),
        (T((4,), scale=[0.5] * 4, axis=7), T((4,), scale=0.5), ["'t0'", "axis 7"]),
        (T((-1,), scale=0.5), T((4,), scale=0.5), ["'t0'", "[-1]"]),
        (T((2**16, 2**16), scale=0.5), T((4,), scale=0.5), ["'t0'", "elements"]),
        (T((1,) * 9, scale=0.5), T((4,), scale=0.5), ["'t0'", "extents"]),
        (T((4,), scale=1e-30), T((4,), scale=0.5), []),
        (T((4,), scale=0.5), T((4,), scale=1e-30), ["t1"]),
        (T((4,), scale=0.5, data=np.zeros(3, np.int8)), T((4,), scale=0.5), ["'t0'", "3 B", "4 B"]),
    ],
)
def test_a_tensor_without_a_meaning_is_named(x: T, y: T, told: list[str]) -> None:
    if told:
        refused(written("RELU", [x], y), InvalidInput, *told)
    else:
        tflite.graph(tflite.parse(written("RELU", [x], y)))


def test_weights_that_could_overflow_are_refused() -> None:
    x, y = T((1, 4), scale=0.5), T((1, 1), scale=0.5)
    w = T((1, 4), scale=0.5, data=np.full((1, 4), 127, np.int8))
    big = T((1,), "int32", 0.25, data=np.array([2**31 - 1], np.int32))
    refused(written("FULLY_CONNECTED", [x, w, big], y, {}, "FullyConnectedOptions"), InvalidInput, "int32", "'t1'")


def test_a_file_that_points_at_the_same_bytes_over_and_over_is_refused() -> None:
    """Else a vector of a million offsets to one table of a million more would be read."""
    data = small()
    reader = Reader(data)
    for _ in range((MOST_SHARING * len(data) + 1024) // 4):
        reader.unpack("I", 0, "tflite file")
    with pytest.raises(InvalidInput, match="the file is damaged"):
        reader.unpack("I", 0, "tflite file")
