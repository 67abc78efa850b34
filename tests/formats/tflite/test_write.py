"""What is written: LiteRT's reference kernels compute of it, tensor by tensor, what the graph means; ours reads it."""

from __future__ import annotations

import os
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import selvedge as sv
from selvedge import ir, zoo
from selvedge.capture.lower.pooling import clipped, positions
from selvedge.errors import InvalidInput, NotSupported
from selvedge.formats import tflite
from selvedge.ir import Quant, Value
from tests.emitting.int8_graph import int8_graph

from .litert import Reference

EXAMPLES = int(os.environ.get("SELVEDGE_EXAMPLES", "30"))
X = Quant((0.0625,), (-3,))
ZOO = (
    "ds_cnn",
    "resnet8",
    "deep_autoencoder",
    "har_fcn?width=0.25",
    "mobilenet_v3_small?resolution=32&width=0.25&classes=4",
    "shufflenet_v2_x0_5?resolution=32&classes=4",
)


def every(graph: ir.Graph) -> ir.Graph:
    """Each value of ``graph`` an output."""
    return ir.Graph(graph.inputs, {}, {f"v{i}": Value(n) for i, n in enumerate(graph.nodes()) if n.inputs})


def same(graph: ir.Graph, x: np.ndarray) -> int:
    """How many tensors were compared: all of them are equal."""
    made = tflite.model(graph)
    got = Reference(tflite.written(made)).run([x], list(made.outputs))
    wanted = ir.interpret(graph, {"x": x}, {})
    for i, (name, array) in zip(made.outputs, wanted.items(), strict=True):
        assert got[i].dtype == array.dtype
        np.testing.assert_array_equal(got[i], array, err_msg=f"{name}: {graph.outputs[name].node}")
    return len(wanted)


def quantised(name: str) -> sv.Network:
    net, example, _ = zoo.make(name)
    draw = torch.Generator().manual_seed(0)
    shape = example.shape[1:]
    net.train()(torch.randn(8, *shape, generator=draw))
    x = torch.randn(32, *shape, generator=draw)
    return sv.network(sv.quantise(net.eval(), x, wanted_agreement=0.0), x[:1], floats=False)


@pytest.mark.parametrize("name", ZOO)
def test_every_tensor_of_a_quantised_network_is_the_references(name: str) -> None:
    network = quantised(name)
    x = np.random.default_rng(0).integers(-128, 128, network.inputs["x"].shape).astype(np.int8)
    assert not [n.op for n in network.graph.nodes() if any(s.is_float for s in n.specs)]
    assert same(every(network.graph), x) >= 10


def test_every_row_is_the_references() -> None:
    graph, arrays = int8_graph("float32")
    unequal = {"average", "max", "nearest"}  # windows of different sizes have no operator
    kept = {name: v for name, v in graph.outputs.items() if name not in unequal}
    assert same(ir.Graph(graph.inputs, {}, kept), arrays["x"]) == len(kept)


@given(st.integers(1, 3), st.integers(1, 3), st.integers(0, 2), st.integers(0, 2), st.integers(1, 2),
       st.sampled_from([1, 2, 4]), st.integers(0, 999))  # fmt: skip
@settings(max_examples=EXAMPLES, deadline=None)
def test_any_padding_stride_dilation_and_groups(
    kernel: int, stride: int, before: int, after: int, dilation: int, groups: int, seed: int
) -> None:
    r = np.random.default_rng(seed)
    x = ir.input_leaf("x", ir.Spec((1, 9, 7, 4), "int8", X))
    w = Quant(tuple(float(np.float32(s)) for s in r.uniform(0.01, 0.1, 8)), (0,), 3)
    codes = ir.constant(r.integers(-127, 128, (kernel, kernel, 4 // groups, 8)).astype(np.int8), quant=w)
    bias = ir.constant(r.integers(-99, 99, 8).astype(np.int32))
    geometry: dict[str, Any] = {
        "stride": (stride, stride), "padding": ((before, after), (after, before)), "dilation": (dilation, dilation),
        "groups": groups,
    }  # fmt: skip
    made = ir.apply("int8_conv2d", x, codes, bias, **geometry, quants=(X, w), quant=Quant((0.5,), (4,)),
                    activation="relu6")  # fmt: skip
    codes_in = r.integers(-128, 128, x.shape).astype(np.int8)
    graph = ir.Graph({"x": x}, {}, {"output": made})
    same(graph, codes_in)
    back = tflite.graph(tflite.parse(tflite.written(tflite.model(graph)))).frozen()
    np.testing.assert_array_equal(
        ir.interpret(back, {"x": codes_in}, {})["output"], ir.interpret(graph, {"x": codes_in}, {})["output"]
    )


@given(st.integers(2, 12), st.integers(1, 3), st.integers(1, 3), st.integers(0, 1), st.booleans(), st.booleans())
@settings(max_examples=EXAMPLES, deadline=None)
def test_any_pool_of_equal_windows(
    extent: int, kernel: int, stride: int, padding: int, ceil: bool, average: bool
) -> None:
    """An average that sees padding divides by fewer there, as "same" does; else there is no operator."""
    kernel = max(kernel, 2 * padding)
    if kernel > extent:
        kernel = extent
    windows = {}
    for name, size in (("windows_h", extent), ("windows_w", extent + 1)):
        starts = positions(size, kernel, stride, padding, 1, ceil)
        windows[name] = tuple(clipped(start, size, kernel, 1) for start in starts)
    x = ir.input_leaf("x", ir.Spec((2, extent, extent + 1, 3), "int8", X))
    row = ("int8_average_pool", {"quants": (X,), "activation": "relu"}) if average else ("max_pool", {})
    graph = ir.Graph({"x": x}, {}, {"output": ir.apply(row[0], x, **windows, **row[1])})
    codes = np.random.default_rng(extent).integers(-128, 128, x.shape).astype(np.int8)
    refused = suppress(NotSupported) if average else nullcontext()
    with refused:
        assert same(graph, codes) == 1


def test_it_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    """The file of what was read is the same file."""
    network = quantised("resnet8")
    path = sv.save_tflite(network, tmp_path / "resnet8.tflite")
    again = sv.load_tflite(path)
    assert sv.save_tflite(again, tmp_path / "again.tflite").read_bytes() == path.read_bytes()
    assert {n: str(s) for n, s in again.inputs.items()} == {n: str(s) for n, s in network.inputs.items()}
    x = np.random.default_rng(0).integers(-128, 128, network.inputs["x"].shape).astype(np.int8)
    found = [ir.interpret(n.graph, {"x": x}, {})["output"] for n in (network, again)]
    np.testing.assert_array_equal(*found)


def test_what_is_equal_lies_in_the_file_once() -> None:
    """Layers that differ in what they are called alone take less than their weights, biases and 256 B each; a name has
    what is given and returned; what flattens before a fully connected layer is no operator."""
    network = quantised("resnet8")
    data = tflite.written(tflite.model(network.graph))
    read = tflite.parse(data)
    assert {t.name for i, t in enumerate(read.tensors) if i not in (*read.inputs, *read.outputs)} == {""}
    assert [read.tensors[i].name for i in (*read.inputs, *read.outputs)] == ["x", "output"]
    assert "RESHAPE" not in [o.name for o in read.operators]
    held = sum(t.data.nbytes for t in read.tensors if t.data is not None)
    scales = sum(12 * len(t.quant.scale) for t in read.tensors if t.quant is not None)
    assert held < len(data) < held + scales + 256 * len(read.operators)
    x = np.random.default_rng(0).integers(-128, 128, network.inputs["x"].shape).astype(np.int8)
    (made,) = Reference(data).run([x], read.outputs).values()
    np.testing.assert_array_equal(made, ir.interpret(network.graph, {"x": x}, {})["output"])


@pytest.mark.parametrize("per_tensor", [False, True])
@pytest.mark.parametrize("layer", [
    nn.Conv2d(2, 4, 3, bias=False), nn.Conv2d(2, 2, 3, groups=2, bias=False), nn.Conv2d(2, 4, 1, groups=2, bias=False),
    nn.Linear(6, 3, bias=False),
], ids=["convolution", "depthwise", "multiplied", "linear"])  # fmt: skip
def test_a_layer_without_bias_and_norm_runs_in_litert(layer: nn.Module, per_tensor: bool) -> None:
    """In the reference kernels bit by bit, and in those that LiteRT takes by itself."""
    x = torch.randn(32, 2, 6, 6, generator=torch.Generator().manual_seed(0))
    made = sv.quantise(nn.Sequential(layer).eval(), x, per_tensor=per_tensor, wanted_agreement=0.0)
    network = sv.network(made, x[:1], floats=False)
    codes = np.random.default_rng(0).integers(-128, 128, network.inputs["x"].shape).astype(np.int8)
    assert same(network.graph, codes) == 1
    interpreter = pytest.importorskip("ai_edge_litert.interpreter").Interpreter(
        model_content=tflite.written(tflite.model(network.graph)), num_threads=1
    )
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], codes)
    interpreter.invoke()
    got = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    expected = ir.interpret(network.graph, {"x": codes}, {})["output"]
    assert np.abs(got.astype(int) - expected).max() <= 1


class Again(nn.Module):
    """One linear layer, ``times`` times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.layer, self.times = nn.Linear(64, 64), times

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for _ in range(self.times):
            x = torch.relu(self.layer(x))
        return x


def test_a_layer_that_is_used_again_lies_in_the_file_once() -> None:
    x = torch.randn(32, 64, generator=torch.Generator().manual_seed(0))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        nets = [Again(times).eval() for times in (1, 3)]
    once, thrice = (sv.network(sv.quantise(n, x, wanted_agreement=0.0), x[:1], floats=False) for n in nets)
    sizes = [len(tflite.written(tflite.model(n.graph))) for n in (once, thrice)]
    assert sizes[0] > 64 * 64
    assert sizes[1] - sizes[0] < 2 * 1200, sizes  # per use: a bias and its scales, that follow the input's
    codes = np.random.default_rng(0).integers(-128, 128, (1, 64)).astype(np.int8)
    assert same(thrice.graph, codes) == 1


def test_what_no_operator_computes_is_refused() -> None:
    x = ir.input_leaf("x", ir.Spec((1, 4)))
    graph = ir.Graph({"x": x}, {}, {"output": ir.apply("erfc", x)})
    with pytest.raises(NotSupported, match=r"erfc in a \.tflite file"):
        tflite.model(graph)
    codes = ir.apply("quantise", x, quant=X)
    with pytest.raises(InvalidInput, match="each must be a result of its own"):
        tflite.model(ir.Graph({"x": x}, {}, {"output": codes, "output1": codes}))
    with pytest.raises(InvalidInput, match=r"give what selvedge\.network returned"):
        sv.save_tflite(3, "x")  # type: ignore[arg-type]
