"""What moves no element is no operator in the file."""

from __future__ import annotations

import os
from collections import Counter

import numpy as np
import onnx
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import selvedge as sv
from selvedge import ir
from selvedge.formats import onnx as formats

from .runtime import run, steps
from .test_rows import again

EXAMPLES = int(os.environ.get("SELVEDGE_EXAMPLES", "40"))
GEOMETRY = {"stride": (1, 1), "padding": ((0, 0), (0, 0)), "dilation": (1, 1), "groups": 1}


def test_a_linear_layer_behind_a_flattened_image_reads_it_as_it_lies() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5)).eval()
        x = torch.randn(64, 2, 6, 6)
    for module in (net, sv.quantise(net, x, wanted_agreement=0.0)):
        network = sv.network(module, x[:1])
        for form in formats.FORMS:
            model = formats.written(network.graph, "net", network.layouts, form)
            onnx.checker.check_model(model, full_check=True)
            made = Counter(node.op_type for node in model.graph.node)
            assert (made["Transpose"], made["Reshape"], made["Flatten"]) == (0, 0, 1)
            got = run(model, {"x": x[:1].numpy()})[0]
            expected = ir.interpret(network.graph, {"x": network.layout("x").store(x[:1].numpy())}, {})["output"]
            scale = max((n.specs[0].quant.scale[0] for n in network.graph.nodes() if n.specs[0].quant), default=1e-5)
            assert np.abs(got - expected).max() <= 2 * scale
            read = formats.graph(formats.parse(model.SerializeToString()))
            np.testing.assert_allclose(again(read, {"x": x[:1].numpy()}), expected, rtol=1e-5, atol=1e-5)


@given(st.permutations(range(4)), st.permutations(range(4)), st.lists(st.sampled_from([1, 1, 3]), min_size=4,
       max_size=4), st.booleans(), st.booleans())  # fmt: skip
@settings(max_examples=EXAMPLES, deadline=None)
def test_any_two_transposes_behind_a_convolution_and_a_reshape(
    first: list[int], second: list[int], shape: list[int], conv: bool, outputs: bool
) -> None:
    """Of axes of one element too; every value between may be read and be an output besides."""
    r = np.random.default_rng(sum(shape))
    x = ir.input_leaf("x", ir.Spec(tuple(shape)))
    image = x
    if conv:
        w = ir.constant(r.normal(size=(1, 1, shape[3], 3)).astype(np.float32))
        image = ir.apply("conv2d", x, w, **GEOMETRY)
    turned = ir.transpose(image, tuple(first))
    again_ = ir.transpose(ir.apply("relu", turned), tuple(second))
    made = {"output": ir.reshape(turned, (turned.shape[0], turned.spec.size // turned.shape[0])),
            "output1": ir.reshape(again_, (again_.spec.size,))}  # fmt: skip
    if outputs:
        made |= {"output2": turned, "output3": again_}
    graph = ir.Graph({"x": x}, {}, made)
    model = formats.written(graph, "net")
    onnx.checker.check_model(model, full_check=True)
    arrays = {"x": r.normal(size=shape).astype(np.float32)}
    expected = ir.interpret(graph, arrays, {})
    for (name, array), got in zip(expected.items(), run(model, arrays), strict=True):
        assert steps(got, array) == 0, name
