"""Quantised networks of the zoo, from the module to the ONNX file: each layer within a step, images NCHW outside."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import selvedge as sv
from selvedge import ir
from selvedge.formats import onnx as formats
from selvedge.zoo import make

from .runtime import alone, layers, run, session, steps


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", ["ds_cnn"])
def test_every_layer_of_a_quantised_network_of_the_zoo(name: str) -> None:
    module, example, _ = make(name, seed=0)
    module.eval()
    torch.manual_seed(0)
    shape = tuple(example.shape[1:])
    network = sv.network(sv.quantise(module, [torch.randn(8, *shape) for _ in range(4)]), example[:1])
    nodes = layers(network.graph)
    assert "conv2d" not in {n.op for n in nodes}
    x = torch.randn(1, *shape).numpy()
    every = ir.Graph(network.graph.inputs, {}, {str(i): ir.Value(n) for i, n in enumerate(nodes)})
    stored = network.layout("x").store(x)
    arrays = ir.interpret(every, {"x": stored}, {})
    held = {**{v: arrays[i] for i, v in every.outputs.items()}, every.inputs["x"]: stored}
    for node in nodes:
        model, values = alone(node)
        (got,) = run(model, {n: held[v] for n, v in values.items()})
        assert steps(got, held[ir.Value(node)]) <= 1, node
    whole = session(formats.written(network.graph, name, network.layouts))
    same = 0
    for _ in range(20):
        x = torch.randn(1, *shape).numpy()
        made = ir.interpret(network.graph, {"x": network.layout("x").store(x)}, {})["output"]
        same += int(made.argmax() == whole.run(None, {"x": x})[0].argmax())
    assert same == 20
    assert np.isfinite(made).all()
