"""Float networks of the zoo in ONNX Runtime: within 1e-5 of PyTorch's float64, or three times its own float32's
distance from that. One of a family here; ``SELVEDGE_ALL=1`` takes all."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest
import torch

import selvedge as sv
from selvedge.errors import NotSupported
from selvedge.formats import onnx as formats
from selvedge.zoo import entry, make, names

from .runtime import session

FAMILIES = (  # one of those whose layers are alike
    "audio_m5", "deep_autoencoder", "ds_cnn", "har_fcn", "mobilenet_v2", "mobilenet_v3_small", "resnet8",
    "shufflenet_v2_x0_5", "text_cnn",
)  # fmt: skip
RECURRENT = {"char_gru": "gru", "keyword_gru": "gru", "keyword_lstm": "lstm"}
ALL = tuple(name for name in names() if name not in RECURRENT)


def settled(name: str) -> tuple[torch.nn.Module, torch.Tensor]:
    """A network whose norms have seen data, and a sample."""
    small = {"resolution": "64", "width": "0.5"}
    options = "&".join(f"{k}={v}" for k, v in small.items() if k in entry(name).options)
    model, example, _ = make(f"{name}?{options}" if options else name, seed=0)
    torch.manual_seed(0)
    if not example.is_floating_point():
        return model.eval(), torch.randint(0, 50, (1, *example.shape[1:]), dtype=example.dtype)
    for norm in model.modules():
        if isinstance(norm, torch.nn.modules.batchnorm._BatchNorm):
            norm.momentum = None
    model.train()
    with torch.no_grad():
        for _ in range(2):
            model(torch.randn(4, *example.shape[1:]))
    return model.eval(), torch.randn(1, *example.shape[1:])


def distances(model: torch.nn.Module, x: torch.Tensor) -> tuple[float, float]:
    """(ours in ONNX Runtime, PyTorch's in float32) from PyTorch in float64, of the output's largest."""
    network = sv.network(model, x)
    found: Any = session(formats.written(network.graph, "net", network.layouts)).run(None, {"x": x.numpy()})[0]
    with torch.no_grad():
        single = model(x).numpy()
        exact = model.double()(x.double() if x.is_floating_point() else x).numpy()
    size = np.abs(exact).max()
    return np.abs(found - exact).max() / size, np.abs(single - exact).max() / size


@pytest.mark.parametrize("name", ALL if os.environ.get("SELVEDGE_ALL") else FAMILIES)
def test_a_float_network_predicts_what_pytorch_does(name: str) -> None:
    ours, own = distances(*settled(name))
    print(f"{name}: {ours:.1e}, PyTorch's own {own:.1e}")
    assert ours <= max(1e-5, 3 * own)


def test_a_transformer_predicts_what_pytorch_does() -> None:
    torch.manual_seed(0)
    layer = torch.nn.TransformerEncoderLayer(32, 4, 64, activation="gelu", batch_first=True)
    model = torch.nn.Sequential(torch.nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), torch.nn.Flatten(),
                                torch.nn.Linear(32 * 12, 5)).eval()  # fmt: skip
    ours, own = distances(model, torch.randn(1, 12, 32))
    print(f"transformer: {ours:.1e}, PyTorch's own {own:.1e}")
    assert ours <= max(1e-5, 3 * own)


@pytest.mark.parametrize("name", RECURRENT)
def test_a_recurrent_network_is_refused_with_its_line(name: str) -> None:
    model, x = settled(name)
    network = sv.network(model, x)
    with pytest.raises(NotSupported, match=rf"^{RECURRENT[name]} in ONNX is not supported at src/selvedge/zoo/\w+\.py"):
        formats.written(network.graph, "net", network.layouts)
