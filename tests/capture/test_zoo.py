"""The five zoo models: every parameter's gradient from the interpreter is autograd's, at batch 1 and 8."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from selvedge.capture import capture
from selvedge.zoo import make

from ..models import disagreements, reference
from .parity import parameter_gradients, predict

MODELS = (
    "resnet8",
    "ds_cnn",
    "mobilenet_v1_025",
    "deep_autoencoder",
    "mobilenet_v2?width=0.35&resolution=96",
)


@pytest.mark.parametrize("norms", ["frozen", "folded"])
@pytest.mark.parametrize("batch", [1, 8])
@pytest.mark.parametrize("spec", MODELS)
def test_gradients_of_the_zoo_are_pytorchs(spec: str, batch: int, norms: str) -> None:
    model, example, which = make(spec)
    torch.manual_seed(batch)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
            nn.init.normal_(module.running_mean, 0, 0.3)
            nn.init.uniform_(module.running_var, 0.7, 1.4)
            nn.init.uniform_(module.weight, 0.7, 1.4)
    model.eval()
    x = torch.randn(batch, *example.shape[1:])
    captured = capture(model, x, norms=norms)
    output = model(x).detach()
    np.testing.assert_allclose(predict(captured, x)["output"], output.numpy(), rtol=1e-3, atol=1e-4)
    if norms == "folded":
        return
    if which == "reconstruction":
        found = parameter_gradients(captured, x, None, which)
        expected = reference(model, x, x, F.mse_loss)
    else:
        y = torch.randint(0, output.shape[1], (batch,))
        found = parameter_gradients(captured, x, y.numpy().astype(np.int32), which)
        expected = reference(model, x, y)
    assert found.keys() == expected.gradients.keys()
    assert not disagreements(found, expected)
