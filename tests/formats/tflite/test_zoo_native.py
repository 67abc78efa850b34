"""Quantised networks of the zoo in native code, every tensor an output: bit by bit LiteRT's reference kernels.

Here two of them; the long proof takes every architecture that quantises, at the size it is published for.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

import selvedge as sv
from selvedge import zoo
from selvedge.errors import NotSupported
from selvedge.formats import tflite
from selvedge.zoo.registry import ENTRIES

from .litert import Reference
from .test_write import every

FULL = bool(os.environ.get("SELVEDGE_FULL"))
# Cells of recurrent networks and tables of words have no int8 rows.
WITHOUT = {"keyword_gru": "rnn", "keyword_lstm": "rnn", "text_cnn": "embedding", "char_gru": "embedding"}
NETWORKS = sorted(ENTRIES.keys() - WITHOUT.keys()) if FULL else ["ds_cnn", "mcunet_5fps?resolution=48&classes=10"]
ROOM = sv.Device(ram="4GiB", flash="4GiB", vector_bytes=32)


def quantised(name: str) -> sv.Network:
    """With weights and statistics of norms drawn at random: nothing lies on a round number."""
    net, example, _ = zoo.make(name)
    draw = torch.Generator().manual_seed(0)
    shape = example.shape[1:]
    with torch.no_grad():
        net.train()(torch.randn(4, *shape, generator=draw))
    made = sv.quantise(net.eval(), torch.randn(32, *shape, generator=draw), wanted_agreement=0.0)
    return sv.network(made, torch.zeros(1, *shape), floats=False)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_tensor_in_native_code_is_the_references(name: str, tmp_path: Path) -> None:
    network = quantised(name)
    graph = every(network.graph)
    model = tflite.model(graph)
    session = sv.compile(sv.plan_inference(sv.Network(graph, "every"), device=ROOM), cache=tmp_path)
    x = np.random.default_rng(0).integers(-128, 128, network.inputs["x"].shape).astype(np.int8)
    found = session.predict(x)
    got = dict(zip(graph.outputs, found if isinstance(found, tuple) else (found,), strict=True))
    wanted = Reference(tflite.written(model)).run([x], list(model.outputs))
    assert len(got) >= 10
    for i, (port, array) in zip(model.outputs, got.items(), strict=True):
        assert wanted[i].dtype == array.dtype
        where = f"{port}: {graph.outputs[port].node}"
        np.testing.assert_array_equal(array, wanted[i].reshape(array.shape), err_msg=where)


@pytest.mark.parametrize(("name", "what"), WITHOUT.items())
def test_what_has_no_int8_rows_is_refused_in_one_line(name: str, what: str) -> None:
    net, example, _ = zoo.make(name)
    draw, shape = torch.Generator().manual_seed(0), (32, *example.shape[1:])
    real = example.is_floating_point()
    x = torch.randn(shape, generator=draw) if real else torch.randint(0, 10, shape, generator=draw).to(example.dtype)
    with pytest.raises(NotSupported, match=rf"^layer {what}: aten\.\w+\.default in int8 .*bits={{'{what}': 32}}$"):
        sv.quantise(net.eval(), x, wanted_agreement=0.0)
