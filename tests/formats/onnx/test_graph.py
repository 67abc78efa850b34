"""Files of other tools: quantised and float models as ONNX Runtime's own quantiser writes them; refusals, one line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

import selvedge as sv
from selvedge import ir
from selvedge.errors import InvalidInput, NotSupported, SelvedgeError
from selvedge.formats import onnx as formats

from .runtime import run
from .test_rows import again

EXAMPLES = int(os.environ.get("SELVEDGE_EXAMPLES", "40"))
F = TensorProto.FLOAT


def model(nodes: list[Any], shape: tuple[int, ...], result: int, constants: dict[str, np.ndarray]) -> onnx.ModelProto:
    """From "image" to "answer"."""
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("image", F, shape)],
        [helper.make_tensor_value_info("answer", F, [None] * result)],
        [numpy_helper.from_array(a, n) for n, a in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def small(r: np.random.Generator) -> onnx.ModelProto:
    """A residual network with every kind of layer of the MLPerf Tiny models."""

    def real(*shape: int) -> np.ndarray:
        return (r.normal(size=shape) / np.sqrt(max(1, np.prod(shape[1:])))).astype(np.float32)

    constants = {
        "w0": real(8, 3, 3, 3), "b0": real(8), "w1": real(8, 1, 3, 3), "b1": real(8), "w2": real(8, 8, 1, 1),
        "scale": 1 + real(8) / 9, "shift": real(8), "mean": real(8), "variance": np.abs(real(8)) + 1,
        "least": np.float32(0).reshape(()), "most": np.float32(6).reshape(()), "w3": real(5, 8 * 9), "b3": real(5),
    }  # fmt: skip
    nodes = [
        helper.make_node("Conv", ["image", "w0", "b0"], ["a"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "w1", "b1"], ["c"], kernel_shape=[3, 3], group=8, auto_pad="SAME_UPPER"),
        helper.make_node("Clip", ["c", "least", "most"], ["d"]),
        helper.make_node("Conv", ["d", "w2"], ["e"], kernel_shape=[1, 1]),
        helper.make_node("BatchNormalization", ["e", "scale", "shift", "mean", "variance"], ["f"]),
        helper.make_node("Add", ["f", "b"], ["g"]),
        helper.make_node("MaxPool", ["g"], ["h"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("AveragePool", ["h"], ["i"], kernel_shape=[2, 2], strides=[1, 1]),
        helper.make_node("Flatten", ["i"], ["j"]),
        helper.make_node("Gemm", ["j", "w3", "b3"], ["k"], transB=1),
        helper.make_node("Softmax", ["k"], ["answer"], axis=-1),
    ]
    return model(nodes, (1, 3, 16, 16), 2, constants)


def test_a_float_model_computes_and_runs_natively_as_onnx_runtime(tmp_path: Path) -> None:
    r = np.random.default_rng(0)
    made = small(r)
    onnx.save(made, tmp_path / "net.onnx")
    network = sv.load_onnx(tmp_path / "net.onnx")
    # What is flattened is flattened channels first; nothing else is transposed.
    assert [n.specs[0].shape for n in network.graph.nodes() if n.op == "transpose"] == [(1, 8, 3, 3)]
    session = sv.compile(sv.plan_inference(network, device=sv.Device(ram="1MiB", flash="1MiB", vector_bytes=32)))
    for _ in range(4):
        x = r.normal(size=(1, 3, 16, 16)).astype(np.float32)
        (expected,) = run(made, {"image": x})
        np.testing.assert_allclose(session.predict(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1, 5, 6), (1, 3, 1, 1)], ids=["a channel", "a pixel"])
def test_an_image_of_which_no_element_moves_is_given_as_the_file_has_it(shape: tuple[int, ...], tmp_path: Path) -> None:
    r = np.random.default_rng(4)
    w = r.normal(size=(1, shape[1], 1, 1)).astype(np.float32)
    made = model([helper.make_node("Conv", ["image", "w"], ["answer"])], shape, 4, {"w": w})
    onnx.save(made, tmp_path / "net.onnx")
    network = sv.load_onnx(tmp_path / "net.onnx")
    assert network.layouts["x"].face == shape
    x = r.normal(size=shape).astype(np.float32)
    (expected,) = run(made, {"image": x})
    np.testing.assert_allclose(sv.compile(sv.plan_inference(network)).predict(x), expected, rtol=1e-5, atol=1e-6)
    saved = onnx.load(sv.save_onnx(network, tmp_path / "again.onnx"))
    np.testing.assert_allclose(run(saved, {"x": x})[0], expected, rtol=1e-5, atol=1e-6)
    assert [node.op_type for node in saved.graph.node] == ["Conv"]


@pytest.mark.parametrize("kind", ["int8", "uint8"])
def test_what_onnx_runtimes_quantiser_writes_is_read_as_int8_rows(kind: str, tmp_path: Path) -> None:
    quantization = pytest.importorskip("onnxruntime.quantization")
    r = np.random.default_rng(1)
    onnx.save(small(r), tmp_path / "net.onnx")

    class Images(quantization.CalibrationDataReader):  # type: ignore[misc]  # of an untyped package
        def __init__(self) -> None:
            self.left: Iterator[np.ndarray] = iter(r.normal(size=(16, 1, 3, 16, 16)).astype(np.float32))

        def get_next(self) -> dict[str, np.ndarray] | None:
            found = next(self.left, None)
            return None if found is None else {"image": found}

    types = {"int8": quantization.QuantType.QInt8, "uint8": quantization.QuantType.QUInt8}
    quantization.quantize_static(
        tmp_path / "net.onnx", tmp_path / "quantised.onnx", Images(), per_channel=True,
        activation_type=types[kind], weight_type=quantization.QuantType.QInt8,
    )  # fmt: skip
    made = onnx.load(tmp_path / "quantised.onnx")
    read = formats.graph(formats.read(tmp_path / "quantised.onnx"))
    rows = [n.op for n in read.graph.nodes()]
    assert rows.count("int8_conv2d") == 3
    assert rows.count("int8_linear") == 1
    assert "conv2d" not in rows
    assert "matmul" not in rows
    for _ in range(8):
        x = r.normal(size=(1, 3, 16, 16)).astype(np.float32)
        (expected,) = run(made, {"image": x})
        got = again(formats.Read(read.graph, read.layouts), {"x": x})
        assert np.abs(got - expected).max() <= 0.03
        assert got.argmax() == expected.argmax()


@pytest.mark.parametrize("kind", [np.int8, np.uint8])
@pytest.mark.parametrize("channels", [False, True])
def test_the_standards_int8_operators_are_read_as_rows(kind: type[np.integer[Any]], channels: bool) -> None:
    """A QLinearConv, of one scale and of one a channel, and a QLinearMatMul, with ONNX Runtime as the oracle: of
    weights of seven bits, since without VNNI its products of uint8 and int8 saturate in int16."""
    r = np.random.default_rng(2)
    zero = 3 if kind is np.int8 else 131
    scales = r.uniform(0.002, 0.02, 6).astype(np.float32) if channels else np.float32(0.01)
    constants = {
        "sx": np.float32(0.05), "zx": kind(zero), "w": r.integers(-63, 64, (6, 3, 3, 3)).astype(np.int8),
        "sw": scales, "zw": np.int8(0), "b": r.integers(-500, 500, 6).astype(np.int32), "sy": np.float32(0.04),
        "m": r.integers(-63, 64, (6 * 64, 5)).astype(np.int8), "sm": np.float32(0.01), "sz": np.float32(0.2),
    }  # fmt: skip
    nodes = [
        helper.make_node("QuantizeLinear", ["image", "sx", "zx"], ["q"]),
        helper.make_node("QLinearConv", ["q", "sx", "zx", "w", "sw", "zw", "sy", "zx", "b"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Flatten", ["c"], ["f"]),
        helper.make_node("QLinearMatMul", ["f", "sy", "zx", "m", "sm", "zw", "sz", "zx"], ["k"]),
        helper.make_node("DequantizeLinear", ["k", "sz", "zx"], ["answer"]),
    ]
    made = model(nodes, (1, 3, 8, 8), 2, {name: np.asarray(array) for name, array in constants.items()})
    onnx.checker.check_model(made, full_check=True)
    read = formats.graph(formats.parse(made.SerializeToString()))
    ir.verify(read.graph)
    assert {"int8_conv2d", "int8_linear"} <= {n.op for n in read.graph.nodes()}
    for _ in range(4):
        x = r.normal(size=(1, 3, 8, 8)).astype(np.float32)
        assert np.abs(again(read, {"x": x}) - run(made, {"image": x})[0]).max() <= 2 * 0.2 + 1e-5
    made.graph.node[1].input[1] = "q"
    refused(made, InvalidInput, "node 1 QLinearConv", "scale", "computed")
    del made.graph.node[3].input[6:]
    made.graph.node[1].input[1] = "sx"
    refused(made, InvalidInput, "node 3 QLinearMatMul", "inputs", "6")


@pytest.mark.parametrize("left", [True, False])
def test_an_int8_input_is_either_operand_of_a_product(left: bool) -> None:
    """Its scale is what stands behind it there; the other operand is a constant."""
    r = np.random.default_rng(3)
    constants = {
        "sa": np.float32(0.05), "za": np.int8(3), "sb": np.float32(0.02), "zb": np.int8(-7), "sy": np.float32(0.1),
        "zy": np.int8(1), "m": r.integers(-63, 64, (4, 6) if not left else (6, 5)).astype(np.int8),
    }  # fmt: skip
    operands = ["image", "sa", "za", "m", "sb", "zb"] if left else ["m", "sa", "za", "image", "sb", "zb"]
    nodes = [helper.make_node("QLinearMatMul", [*operands, "sy", "zy"], ["answer"], name="product")]
    made = model(nodes, (4, 6) if left else (6, 5), 2, {name: np.asarray(array) for name, array in constants.items()})
    for port in (*made.graph.input, *made.graph.output):
        port.type.tensor_type.elem_type = TensorProto.INT8
    onnx.checker.check_model(made, full_check=True)
    read = formats.graph(formats.parse(made.SerializeToString()))
    ir.verify(read.graph)
    assert read.graph.inputs["x"].spec.quant == ir.Quant(
        (float(np.float32(0.05 if left else 0.02)),), (3 if left else -7,)
    )
    x = r.integers(-63, 64, (4, 6) if left else (6, 5)).astype(np.int8)
    got, (expected,) = again(read, {"x": x}), run(made, {"image": x})
    assert np.abs(got.astype(int) - expected).max() <= 1
    assert np.unique(expected).size > 5


def test_what_is_said_of_an_int8_operator_names_it_and_not_its_parts() -> None:
    """An operator that is computed as four is one in the file."""
    constants = {
        "s": np.float32(0.05), "z": np.int8(3), "w": np.ones((6, 3, 3, 3), np.int8), "sw": np.float32(0.01),
        "zw": np.int8(0), "b": np.ones(6, np.int32),
    }  # fmt: skip
    whole = ["q", "s", "z", "w", "sw", "zw", "s", "z", "b"]

    def of(inputs: list[str], **more: np.ndarray) -> onnx.ModelProto:
        nodes = [
            helper.make_node("QuantizeLinear", ["image", "s", "z"], ["q"]),
            helper.make_node("QLinearConv", inputs, ["c"], name="first"),
            helper.make_node("DequantizeLinear", ["c", "s", "z"], ["answer"]),
        ]
        return model(nodes, (1, 3, 8, 8), 4, {n: np.asarray(a) for n, a in {**constants, **more}.items()})

    named = "onnx node 1 QLinearConv 'first'"
    for inputs, more, told in (
        (whole, {"b": np.ones(5, np.int32)}, "bias is (5,): it must be (6,)"),
        (whole, {"sw": np.ones(5, np.float32), "zw": np.zeros(5, np.int8)}, "scales is 5: 6 of them"),
        (whole, {"w": np.ones((6, 3, 3), np.int8)}, "QLinearConv of weights of 3 axes"),
        (whole, {"b": np.ones(6, np.int64)}, "QLinearConv of int64 is not supported"),
        ([*whole[:6], "image", *whole[7:]], {}, "QLinearConv with a computed input is not supported"),
        ([*whole[:7], "", "b"], {}, "input 7 is left out: each of the first 8 must be given"),
        (whole[:7], {}, "inputs is 7: 8, or 9 with a bias"),
        ([*whole, "b"], {}, "inputs is 10: 8, or 9 with a bias"),
    ):
        with pytest.raises((InvalidInput, NotSupported)) as error:
            formats.graph(formats.parse(of(inputs, **more).SerializeToString()))
        line = str(error.value)
        assert named in line, line
        assert told in line, line
        assert not {"DequantizeLinear", "QuantizeLinear", "?"} & set(line.split()), line
        assert len(line.splitlines()) == 1
    lone = [helper.make_node("Add", ["image", ""], ["answer"], name="sum")]
    refused(model(lone, (1, 4), 2, {}), InvalidInput, "'sum'", "input 1 is left out: give it")
    lone[0].input.append("image")
    refused(model(lone, (1, 4), 2, {}), InvalidInput, "'sum'", "inputs is 3: 2 of them")


def test_a_name_of_two_lines_and_another_form_are_refused(tmp_path: Path) -> None:
    lines = [helper.make_node("Relu", ["image"], ["a\nb"]), helper.make_node("Relu", ["a\nb"], ["answer"])]
    refused(model(lines, (1, 4), 2, {}), InvalidInput, "node 0 Relu", "one line")
    network = sv.Network(formats.graph(formats.parse(small(np.random.default_rng(0)).SerializeToString())).graph, "net")
    with pytest.raises(InvalidInput, match="form is qop: give one of qdq, operators"):
        sv.save_onnx(network, tmp_path / "net.onnx", form="qop")
    assert not (tmp_path / "net.onnx").exists()


def refused(proto: onnx.ModelProto, kind: type[SelvedgeError], *told: str) -> None:
    with pytest.raises(kind) as error:
        formats.graph(formats.parse(proto.SerializeToString()))
    line = str(error.value)
    assert len(line.splitlines()) == 1
    for text in told:
        assert text in line, line


def test_an_operator_that_is_not_read_is_named() -> None:
    refused(model([helper.make_node("Det", ["image"], ["answer"], name="wave")], (1, 4), 2, {}), NotSupported,
            "Det", "node 0", "'wave'")  # fmt: skip


def test_external_data_is_read_from_beside_the_file_alone(tmp_path: Path) -> None:
    proto = model([helper.make_node("Add", ["image", "w"], ["answer"])], (1, 4), 2, {"w": np.ones(4, np.float32)})
    whole = np.arange(4, dtype=np.float32)
    (tmp_path / "weights.bin").write_bytes(whole.tobytes())
    tensor = proto.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL

    def at(location: str, length: str = "16") -> Path:
        del tensor.external_data[:]
        for key, value in (("location", location), ("offset", "0"), ("length", length)):
            tensor.external_data.add(key=key, value=value)
        (tmp_path / "net.onnx").write_bytes(proto.SerializeToString())
        return tmp_path / "net.onnx"

    np.testing.assert_array_equal(formats.read(at("weights.bin")).constants["w"], whole)
    for location in ("../weights.bin", "/etc/passwd", "", ".."):
        with pytest.raises(InvalidInput, match="beside the model"):
            formats.read(at(location))
    with pytest.raises(InvalidInput, match="are 16 B"):
        formats.read(at("weights.bin", "8"))
    with pytest.raises(InvalidInput, match="beside the model"):
        formats.read(at("absent.bin"))
    (tmp_path / "weights.bin").write_bytes(b"short")
    with pytest.raises(InvalidInput, match="5 B"):
        formats.read(at("weights.bin"))


def test_a_constant_that_is_there_already_and_a_result_without_end_are_refused() -> None:
    one = numpy_helper.from_array(np.ones(2, np.float32), "w")
    twice = [helper.make_node("Constant", [], ["w"], value=one), helper.make_node("Add", ["image", "w"], ["answer"])]
    refused(model(twice, (1, 2), 2, {"w": np.ones(2, np.float32)}), InvalidInput, "Constant", "has a value already")
    wide = [helper.make_node("Expand", ["image", "shape"], ["answer"])]
    shape = np.array([1_000_000, 1_000], np.int64)
    refused(model(wide, (1, 1), 2, {"shape": shape}), InvalidInput, "Expand", "1000000000 elements")


def test_what_does_not_go_together_is_refused_with_its_node() -> None:
    conv = helper.make_node("Conv", ["image", "w"], ["answer"], name="first")
    refused(model([conv], (1, 3, 8, 8), 4, {"w": np.ones((4, 2, 3, 3), np.float32)}), InvalidInput, "'first'", "Conv")
    relu = helper.make_node("Relu", ["nothing"], ["answer"], name="loose")
    refused(model([relu], (1, 3), 2, {}), InvalidInput, "'loose'", "no node before it")
    old = model([helper.make_node("Relu", ["image"], ["answer"])], (1, 3), 2, {})
    old.opset_import[0].version = 9
    refused(old, NotSupported, "opset 9", "13")
    with pytest.raises(InvalidInput, match="no ONNX model"):
        formats.parse(b"\x08\xff\xff")


@settings(max_examples=EXAMPLES, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_damaged_file_is_one_line_or_a_graph(seed: int) -> None:
    r = np.random.default_rng(seed)
    data = bytearray(small(np.random.default_rng(0)).SerializeToString())
    # Names, shapes and attributes lie before the weights.
    for _ in range(int(r.integers(1, 4))):
        data[int(r.integers(0, 1200 if seed % 2 else len(data)))] ^= 1 << int(r.integers(0, 8))
    told(bytes(data[: len(data) - seed % 5 * 7]))


def told(data: bytes) -> None:
    """It is a graph that verifies, or refused in one line."""
    try:
        ir.verify(formats.graph(formats.parse(data)).graph)
    except SelvedgeError as error:
        line = str(error)
    else:
        return
    assert len(line.splitlines()) == 1
    assert len(line) < 1500


def test_an_input_can_be_fixed_and_constants_are_folded(tmp_path: Path) -> None:
    """A reshape by a shape that the file computes of another's, and by one that it leaves open."""
    nodes = [
        helper.make_node("Shape", ["image"], ["extents"]),
        helper.make_node("Gather", ["extents", "first"], ["samples"]),
        helper.make_node("Concat", ["samples", "rest"], ["whole"], axis=0),
        helper.make_node("Reshape", ["image", "whole"], ["answer"]),
    ]
    ports = [helper.make_tensor_value_info("image", TensorProto.FLOAT, [2, 6]),
             helper.make_tensor_value_info("rest", TensorProto.INT64, [2])]  # fmt: skip
    answer = [helper.make_tensor_value_info("answer", TensorProto.FLOAT, None)]
    first = numpy_helper.from_array(np.array([0]), "first")
    proto = helper.make_model(helper.make_graph(nodes, "net", ports, answer, [first]),
                              opset_imports=[helper.make_opsetid("", 17)])  # fmt: skip
    path = tmp_path / "net.onnx"
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(SelvedgeError, match="onnx node 2 Concat"):
        sv.load_onnx(path)
    network = sv.load_onnx(path, fixed={"rest": np.array([2, 3])})
    assert network.outputs["output"].shape == (2, 2, 3)
    with pytest.raises(InvalidInput, match="fixed is other: give the values of inputs of the file"):
        sv.load_onnx(path, fixed={"other": np.array([2, 3])})


def test_a_constant_as_large_as_memory_is_refused_before_it_is_made() -> None:
    nodes = [
        helper.make_node("ConstantOfShape", ["large"], ["zeros"]),
        helper.make_node("Add", ["image", "zeros"], ["answer"]),
    ]
    refused(model(nodes, (1, 4), 2, {"large": np.array([1 << 20, 1 << 20])}), InvalidInput, "node 0", "16777216")


def test_dropout_that_is_on_is_refused() -> None:
    nodes = [helper.make_node("Dropout", ["image", "ratio", "on"], ["answer"])]
    given = {"ratio": np.array(0.5, np.float32), "on": np.array(True)}
    refused(model(nodes, (1, 4), 2, given), NotSupported, "Dropout in training mode", "node 0")
