"""The published int8 networks in ONNX Runtime: int8 kernels, each layer fed identical tensors within a step,
the top answer on real data, and the same network when the file is read again."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

import selvedge as sv
from selvedge import ir
from selvedge.formats import onnx as formats
from selvedge.formats import tflite
from selvedge.ir.integer.convert import quantise
from tests.data.folders import fashion, fsdd, shared
from tests.formats.tflite.inputs import photographs, spoken
from tests.formats.tflite.test_compute import INT8, drawn
from tests.formats.tflite.test_read import published

from .runtime import alone, kernels, layers, run, session, steps

MCUNET = ("vww", "detection", "mcunetv2_large")
MODELS = (*INT8, *MCUNET)
# Real inputs for the top answer; the long proof asks for all that there are.
INPUTS = 2 * int(os.environ.get("SELVEDGE_EXAMPLES", "40"))
AGREEMENT = 0.99


def path_of(name: str) -> Path:
    return published(INT8[name][0], name) if name in INT8 else shared("mcunet_int8") / f"{name}.tflite"


def of(name: str) -> sv.Network:
    return sv.load_tflite(path_of(name))


def some(name: str, network: sv.Network, recordings: Path) -> np.ndarray:
    """One real input where there is one of the model's kind."""
    (spec,) = network.inputs.values()
    if name not in INT8:
        return drawn(spec.shape, spec.dtype, 1)[0]
    tensor, kind = tflite.read(path_of(name)), INT8[name][1]
    given = tensor.tensors[tensor.inputs[0]]
    return (photographs(given, 1) if kind == "photographs" else spoken(given, recordings, 1, kind))[0]


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fsdd(tmp_path_factory.mktemp("fsdd"), 1)


@pytest.mark.parametrize("name", MODELS)
def test_every_layer_fed_the_same_is_within_a_step(name: str, recordings: Path) -> None:
    network = of(name)
    nodes = layers(network.graph)
    every = ir.Graph(network.graph.inputs, {}, {str(i): ir.Value(n) for i, n in enumerate(nodes)})
    given = dict(zip(network.graph.inputs, [some(name, network, recordings)], strict=True))
    arrays = ir.interpret(every, given, {})
    held = {**{v: arrays[i] for i, v in every.outputs.items()}, **{v: given[n] for n, v in every.inputs.items()}}
    worst: Counter[str] = Counter()
    for node in nodes:
        model, values = alone(node)
        (got,) = run(model, {n: held[v] for n, v in values.items()})
        worst[node.op] = max(worst[node.op], steps(got, held[ir.Value(node)]))
    assert len(nodes) >= 10
    assert max(worst.values()) <= 1, worst


@pytest.mark.parametrize("name", MODELS)
def test_its_layers_become_int8_kernels(name: str, tmp_path: Path) -> None:
    network = of(name)
    rows = Counter(n.op for n in network.graph.nodes())
    made = kernels(formats.written(network.graph, "model"), tmp_path)
    wanted = {"int8_conv2d": "QLinearConv", "int8_linear": "QGemm", "int8_add": "QLinearAdd", "int8_mul": "QLinearMul",
              "int8_average_pool": "QLinearAveragePool", "int8_softmax": "QLinearSoftmax"}  # fmt: skip
    for row, kernel in wanted.items():
        assert made[kernel] == rows[row], (row, made)
    assert not made.keys() & {"Conv", "FusedConv", "Gemm", "MatMul", "Add", "Mul", "AveragePool", "Softmax"}


@pytest.mark.parametrize("name", MODELS)
def test_a_network_read_again_is_the_same_bit_by_bit(name: str, recordings: Path, tmp_path: Path) -> None:
    network = of(name)
    again = sv.load_onnx(sv.save_onnx(network, tmp_path / "model.onnx"))
    onnx.checker.check_model(onnx.load(tmp_path / "model.onnx"), full_check=True)
    assert (again.inputs, again.outputs) == (network.inputs, network.outputs)
    assert (tmp_path / "model.onnx").stat().st_size < path_of(name).stat().st_size
    for x in (some(name, network, recordings), drawn(*_face(network), 1)[-1]):
        expected = ir.interpret(network.graph, {"x": x}, {})
        got = ir.interpret(again.graph, {"x": x}, {})
        for port, array in expected.items():
            np.testing.assert_array_equal(got[port], array)


def _face(network: sv.Network) -> tuple[tuple[int, ...], str]:
    (spec,) = network.inputs.values()
    return spec.shape, spec.dtype


def pictures(folder: Path, spec: ir.Spec, count: int) -> list[np.ndarray]:
    """Clothes in colour-less RGB of the network's size; the zero point -128 is black."""
    files = sorted(fashion(folder, -(-count // 10)).rglob("*.png"))[:count]
    size, made = spec.shape[1:3], []
    for file in files:
        grey = np.asarray(Image.open(file).convert("L").resize((size[1], size[0])), np.float32)
        image = np.repeat(grey[None, :, :, None], spec.shape[3], 3)
        if spec.dtype == "float32":
            made.append(image / 127.5 - 1)
        else:
            made.append((image - 128).astype(np.int8))
    return made


def inputs_of(name: str, spec: ir.Spec, folder: Path, count: int) -> list[np.ndarray]:
    kind = INT8[name][1]
    if kind == "photographs":
        return pictures(folder, spec, count)
    tensor = tflite.read(path_of(name))
    recorded = [fsdd(folder, i) for i in range(-(-count // 60))]
    return [x for each in recorded[-1:] for x in spoken(tensor.tensors[tensor.inputs[0]], each, count, kind)]


def answers(name: str, folder: Path) -> tuple[list[np.ndarray], list[int], list[int]]:
    """Real inputs, and the top answers: ours as native code, and ONNX Runtime's."""
    network = of(name)
    inputs = inputs_of(name, network.inputs["x"], folder, INPUTS)
    ours = sv.compile(sv.plan_inference(network, device=sv.Device(ram="64MiB", flash="64MiB", vector_bytes=32)))
    theirs = session(formats.written(network.graph, "model"))
    assert len(inputs) >= min(INPUTS, 60)
    mine = [int(ours.predict(x).argmax()) for x in inputs]
    return inputs, mine, [int(theirs.run(None, {"x": x})[0].argmax()) for x in inputs]


@pytest.mark.parametrize("name", ["str_ww_ref_model", "vww_96_int8"])
def test_the_top_answer_is_the_same_on_real_data(name: str, tmp_path: Path) -> None:
    _, mine, theirs = answers(name, tmp_path)
    same = np.equal(mine, theirs)
    assert same.mean() >= AGREEMENT, f"{name}: {same.sum()} of {same.size}"


@pytest.mark.parametrize("name", ["kws_ref_model", "pretrainedResnet_quant", "pretrainedResnet_large_int8"])
def test_a_network_that_enlarges_a_step_agrees_as_often_as_litert_does_with_itself(name: str, tmp_path: Path) -> None:
    """CIFAR's pictures and Speech Commands are not here, and of clothes and spoken digits these know little: a step of
    one layer turns an answer. So it does between LiteRT's own two sets of kernels."""
    inputs, mine, theirs = answers(name, tmp_path)
    interpreter = pytest.importorskip("ai_edge_litert.interpreter").Interpreter(
        model_content=path_of(name).read_bytes(), num_threads=1
    )
    interpreter.allocate_tensors()
    ends = [d[0]["index"] for d in (interpreter.get_input_details(), interpreter.get_output_details())]
    fast = []
    for x in inputs:
        interpreter.set_tensor(ends[0], x)
        interpreter.invoke()
        fast.append(int(interpreter.get_tensor(ends[1]).argmax()))
    agreed, own = np.equal(mine, theirs).mean(), np.equal(mine, fast).mean()
    assert agreed >= 0.85
    assert agreed >= own - 0.04, (agreed, own)


def test_the_autoencoder_ranks_real_sounds_the_same(recordings: Path) -> None:
    """It has no classes: its answer is how far its output is from its input."""
    network = of("ad01_int8")
    (spec,), (made,) = network.inputs.values(), network.outputs.values()
    assert spec.quant is not None
    assert made.quant is not None
    theirs = session(formats.written(network.graph, "model"))
    inputs = spoken(tflite.read(path_of("ad01_int8")).tensors[0], recordings, INPUTS, "decibels")

    def error(x: np.ndarray, y: np.ndarray) -> float:
        real = [q.scale[0] * (a.astype(np.float64) - q.zero_point[0]) for q, a in ((spec.quant, x), (made.quant, y))]
        return float(np.square(real[0] - real[1]).mean())

    mine = [error(x, ir.interpret(network.graph, {"x": x}, {})["output"]) for x in inputs]
    runtimes = [error(x, theirs.run(None, {"x": x})[0]) for x in inputs]
    np.testing.assert_allclose(mine, runtimes, rtol=0.01)


def test_real_numbers_are_quantised_alike() -> None:
    network = sv.load_tflite(path_of("kws_ref_model"), floats=True)
    x = np.random.default_rng(0).normal(0, 60, network.inputs["x"].shape).astype(np.float32)
    (got,) = run(formats.written(network.graph, "model"), {"x": x})
    expected = ir.interpret(network.graph, {"x": x}, {})["output"]
    assert np.abs(got - expected).max() <= 0.05
    assert quantise(x, by=of("kws_ref_model").inputs["x"].quant).std() > 10  # type: ignore[arg-type]  # it is int8
