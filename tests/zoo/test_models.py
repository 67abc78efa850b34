"""The architectures are those of their papers: parameters, shapes, names, padding."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from selvedge import zoo
from selvedge.zoo.channels import make_divisible
from selvedge.zoo.convolution import SameConv2d, same_padding


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def statistics(module: nn.Module) -> int:
    return sum(b.numel() for name, b in module.named_buffers() if "num_batches" not in name)


# Totals as Keras prints them (with batch norm's statistics) for mlcommons/tiny's trained models, counted in
# their .h5 files; without batch norm, the same less four values a normalised channel.
@pytest.mark.parametrize(
    ("spec", "total"),
    [
        ("resnet8", 78_666),
        ("resnet8?norm=none", 77_706),
        ("ds_cnn", 24_908),
        ("ds_cnn?norm=none", 22_604),
        ("mobilenet_v1_025", 221_794),
        ("mobilenet_v1_025?norm=none", 210_850),
        ("deep_autoencoder", 269_992),
        ("deep_autoencoder?norm=none", 265_864),
    ],
)
def test_counts_are_those_of_mlperf_tiny(spec: str, total: int) -> None:
    module, _, _ = zoo.make(spec)
    assert parameters(module) + statistics(module) == total
    assert (statistics(module) == 0) == spec.endswith("norm=none")


def test_mobilenet_v1_at_full_width_has_the_parameters_of_keras_applications() -> None:
    # keras.applications.MobileNet(alpha=1): 4,231,976 trainable, its convolutions without biases.
    module, _, _ = zoo.make("mobilenet_v1_025?width=1&classes=1000&resolution=224")
    biases = sum(m.bias.numel() for m in module.modules() if isinstance(m, nn.Conv2d) and m.bias is not None)
    assert parameters(module) - biases == 4_231_976


# tensorflow/models, research/slim/nets/mobilenet/README.md: millions of parameters, batch norm's not counted.
@pytest.mark.parametrize(
    ("width", "millions"), [(0.35, 1.66), (0.5, 1.95), (0.75, 2.61), (1.0, 3.47), (1.3, 5.34), (1.4, 6.06)]
)
def test_mobilenet_v2_widths_have_the_published_parameters(width: float, millions: float) -> None:
    module, _, _ = zoo.make(f"mobilenet_v2?width={width}")
    norms = sum(parameters(m) for m in module.modules() if isinstance(m, nn.BatchNorm2d))
    assert (parameters(module) - norms) / 1e6 == pytest.approx(millions, abs=0.005)


def test_resnet8_has_the_state_names_of_the_mlcommons_port() -> None:
    state = zoo.make("resnet8")[0].state_dict()
    for name in (
        "stem.0.weight",
        "first_stack.block.4.running_var",
        "third_stack.residual.bias",
        "fc.weight",
    ):
        assert name in state
    assert "first_stack.residual.weight" not in state


def small(name: str, **options: str) -> str:
    """The model's spec, at a small resolution where it takes one, with those of the options that it has."""
    asked = {"resolution": "32", **options}
    given = "&".join(f"{k}={v}" for k, v in asked.items() if k in zoo.entry(name).options)
    return f"{name}?{given}" if given else name


@pytest.mark.parametrize(
    ("name", "norm"),
    [
        (name, norm)
        for name in zoo.names()
        for norm in ("batch", "none")
        if norm == "batch" or "norm" in zoo.entry(name).options
    ],
)
def test_every_model_maps_a_batch_and_passes_gradients_to_every_parameter(name: str, norm: str) -> None:
    row = zoo.entry(name)
    module, example, loss = zoo.make(small(name, norm=norm))
    module.eval()
    assert loss == row.loss
    assert len(example.shape) == len(row.input_shape) + 1
    batch = example.repeat(2, *(1,) * len(row.input_shape))
    if example.is_floating_point():
        batch = torch.randn(batch.shape, generator=torch.Generator().manual_seed(1))
    out = module(batch)
    assert out.shape[:2] == (2, row.classes if row.classes is not None else row.input_shape[0])
    assert torch.isfinite(out).all()
    (out**2).mean().backward()
    for parameter in module.parameters():
        assert parameter.grad is not None
        assert torch.isfinite(parameter.grad).all()
    normed = any(isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d) for m in module.modules())
    assert normed == (norm == "batch" and "norm" in row.options)


def test_norms_are_those_of_the_references() -> None:
    for name, eps, momentum in (
        ("resnet8", 1e-3, 0.01),
        ("deep_autoencoder", 1e-3, 0.01),
        ("mobilenet_v2", 1e-5, 0.1),
    ):
        norms = [m for m in zoo.make(name)[0].modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
        assert norms
        assert {(m.eps, m.momentum) for m in norms} == {(eps, momentum)}


@pytest.mark.parametrize(
    ("channels", "rounded"),
    [(32 * 0.35, 16), (16 * 0.35, 8), (24 * 0.35, 8), (96 * 0.35, 32), (12, 16), (18, 24)],
)
def test_make_divisible_rounds_to_eights_and_never_below_nine_tenths(channels: float, rounded: int) -> None:
    assert make_divisible(channels) == rounded
    assert rounded % 8 == 0
    assert rounded >= 0.9 * channels


def test_same_padding_puts_the_odd_row_after() -> None:
    assert same_padding(32, 3, 2) == (0, 1)
    assert same_padding(49, 10, 2) == (4, 5)
    assert same_padding(10, 4, 2) == (1, 1)
    assert same_padding(25, 3, 1) == (1, 1)
    assert same_padding(4, 1, 2) == (0, 0)


def test_a_same_convolution_sees_the_windows_that_keras_sees() -> None:
    conv = SameConv2d(1, 1, 3, 2, bias=False)
    with torch.no_grad():
        conv.weight.fill_(1.0)
    image = torch.arange(16.0).reshape(1, 1, 4, 4)
    # The first window starts at the first pixel; the last ones run over the far edge.
    assert conv(image)[0, 0].tolist() == [[45.0, 39.0], [66.0, 50.0]]


@pytest.mark.parametrize("name", ["resnet8", "ds_cnn", "mobilenet_v1_025"])
def test_same_and_symmetric_padding_share_names_and_shapes_but_not_windows(name: str) -> None:
    symmetric, example, _ = zoo.make(name)
    same, _, _ = zoo.make(f"{name}?padding=same")
    same.load_state_dict(symmetric.state_dict())
    a, b = symmetric.eval()(example), same.eval()(example)
    assert a.shape == b.shape
    assert not torch.allclose(a, b)


def test_the_autoencoder_learns_to_reconstruct() -> None:
    module, example, _ = zoo.make("deep_autoencoder?norm=none")
    optimizer = torch.optim.Adam(module.parameters(), 1e-3)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = functional.mse_loss(module(example), example)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]
