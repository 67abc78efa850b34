"""Parameters and multiply-accumulates are the published ones. Where a figure is rounded, it is met to its last digit
or the deviation and its reason are said."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.zoo.published import figures, macs, made, parameters


# torchvision 0.27, "Models and pre-trained weights": meta["num_params"], and meta["_ops"], 1e9 multiply-accumulates
# at 224x224 rounded to three digits (torchvision/models/*.py, *_Weights).
@pytest.mark.parametrize(
    ("name", "count", "giga"),
    [
        ("mobilenet_v2", 3_504_872, 0.301),
        ("mobilenet_v3_large", 5_483_032, 0.217),
        ("mobilenet_v3_small", 2_542_856, 0.057),
        ("efficientnet_b0", 5_288_548, 0.386),
        ("shufflenet_v2_x0_5", 1_366_792, 0.040),
        ("shufflenet_v2_x1_0", 2_278_604, 0.145),
        ("shufflenet_v2_x1_5", 3_503_624, 0.296),
        ("shufflenet_v2_x2_0", 7_393_996, 0.583),
        ("resnet18", 11_689_512, 1.814),
    ],
)
def test_torchvisions_figures(name: str, count: int, giga: float) -> None:
    parameters, macs = figures(name)
    assert parameters == count
    assert round(macs / 1e9, 3) == giga


# Howard et al., arXiv:1704.04861, tables 6 and 7: millions of multiply-adds and of parameters.
@pytest.mark.parametrize(
    ("options", "mega", "millions"),
    [
        ("width=1", 569, 4.2),
        ("width=0.75", 325, 2.6),
        ("width=0.5", 149, 1.3),
        ("width=0.25", 41, 0.5),
        ("resolution=192", 418, 4.2),
        ("resolution=160", 290, 4.2),
        ("resolution=128", 186, 4.2),
    ],
)
def test_mobilenet_v1_has_the_papers_figures(options: str, mega: int, millions: float) -> None:
    parameters, macs = figures(f"mobilenet_v1?{options}")
    assert round(parameters / 1e6, 1) == millions
    assert mega in (round(macs / 1e6), int(macs / 1e6))  # one row, 290.7, is truncated


def test_mobilenet_v1_has_the_parameters_of_keras_applications() -> None:
    # keras.applications.MobileNet(alpha=1): 4,231,976 trainable.
    assert parameters(made("mobilenet_v1")[0]) == 4_231_976


# tensorflow/tpu, models/official/efficientnet/lite/README.md: millions of parameters, millions of multiply-adds. The
# README does not say what it counts; its figures are 3 to 6 % above those of the convolutions and the classifier, by
# 3.0 to 3.2 for each value that a norm makes.
@pytest.mark.parametrize(
    ("size", "millions", "mega"), [(0, 4.7, 407), (1, 5.4, 631), (2, 6.1, 899), (3, 8.2, 1440), (4, 13.0, 2640)]
)
def test_efficientnet_lite_has_the_published_figures(size: int, millions: float, mega: int) -> None:
    parameters, macs = figures(f"efficientnet_lite{size}")
    assert round(parameters / 1e6, 1) == millions
    assert 0.94 < macs / 1e6 / mega < 0.97


# mit-han-lab/mcunet, README.md, "Model List": MACs and parameters of the float networks.
@pytest.mark.parametrize(
    ("spec", "mega", "millions"),
    [
        ("mcunet_5fps?resolution=96", 12.8, 0.64),
        ("proxyless_w03?resolution=176&head=384", 38.3, 0.75),
        ("mbv2_w035?resolution=144&head=448", 23.5, 0.75),
    ],
)
def test_mcunets_figures(spec: str, mega: float, millions: float) -> None:
    parameters, macs = figures(spec)
    assert round(macs / 1e6, 1) == mega
    assert round(parameters / 1e6, 2) == millions


def test_the_motion_network_has_the_papers_layers() -> None:
    # Wang et al., arXiv:1611.06455, section 2.2: {128, 256, 128} filters of {8, 5, 3}; no count is published.
    module, example = made("har_fcn?channels=1&classes=6")
    layers = ((1, 128, 8), (128, 256, 5), (256, 128, 3))
    biases_and_norms = 3 * (128 + 256 + 128)
    assert parameters(module) == sum(i * o * k for i, o, k in layers) + biases_and_norms + 129 * 6
    assert macs(module, example) == 128 * sum(i * o * k for i, o, k in layers) + 128 * 6


def test_m5_has_the_tutorials_parameters() -> None:
    # "Speech Command Classification with torchaudio" prints "Number of parameters: 26915".
    assert parameters(made("audio_m5")[0]) == 26_915


# Zhang et al., arXiv:1711.07128, the small GRU and basic LSTM: the memory of an 8-bit model is its weights and
# activations, in 1e3 bytes; operations are two a multiply-accumulate, in 1e6. PyTorch's second bias of each gate is
# not counted.
@pytest.mark.parametrize(
    ("cell", "kilobytes", "operations", "gates", "kept"), [("gru", 78.8, 3.8, 3, 3), ("lstm", 63.3, 5.9, 4, 4)]
)
def test_keyword_networks_have_the_papers_figures(
    cell: str, kilobytes: float, operations: float, gates: int, kept: int
) -> None:
    module, example = made(f"keyword_{cell}")
    hidden = module.fc.in_features
    weights = parameters(module) - gates * hidden
    activations = example.numel() + kept * hidden
    assert (weights + activations) / 1e3 == pytest.approx(kilobytes, abs=0.05)
    assert 2 * macs(module, example) / 1e6 == pytest.approx(operations, abs=0.1)


def test_the_character_model_has_the_tutorials_parameters() -> None:
    # TensorFlow, "Text generation with an RNN": "Total params: 4,022,850".
    assert parameters(made("char_gru?classes=66&embedding=256&hidden=1024")[0]) == 4_022_850


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_recurrent_macs_are_those_of_the_matrices(cell: str) -> None:
    """The counter's own oracle: a cell is two matrix products a step."""
    kind = {"gru": nn.GRU, "lstm": nn.LSTM}[cell]
    gates = {"gru": 3, "lstm": 4}[cell]
    module = kind(5, 7, batch_first=True)
    assert macs(module, torch.zeros(2, 3, 5)) == 2 * 3 * gates * 7 * (5 + 7)
