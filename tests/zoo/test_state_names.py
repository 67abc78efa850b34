"""State names and shapes are the reference implementations': public weights load with ``strict=True``."""

from __future__ import annotations

import re

import pytest
import torch
from torch import nn

from selvedge import zoo
from selvedge.zoo.mcunet import BODIES
from tests.zoo import reference_state as reference
from tests.zoo.published import made

SHUFFLENET = {
    "x0_5": (24, 48, 96, 192, 1024),
    "x1_0": (24, 116, 232, 464, 1024),
    "x1_5": (24, 176, 352, 704, 1024),
    "x2_0": (24, 244, 488, 976, 2048),
}
STATES = {
    "mobilenet_v1": reference.mobilenet_v1(),
    "mobilenet_v2": reference.mobilenet_v2(),
    "mobilenet_v3_large": reference.mobilenet_v3(large=True),
    "mobilenet_v3_small": reference.mobilenet_v3(large=False),
    "efficientnet_b0": reference.efficientnet_b0(),
    **{f"efficientnet_lite{size}": reference.efficientnet_lite(size) for size in range(5)},
    **{f"shufflenet_v2_{size}": reference.shufflenet_v2(channels) for size, channels in SHUFFLENET.items()},
    "resnet18": reference.resnet18(),
}


def shapes(module: nn.Module) -> reference.State:
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


@pytest.mark.parametrize("name", STATES)
def test_the_state_is_the_references(name: str) -> None:
    assert shapes(made(name)[0]) == STATES[name]


def blocks(body: str) -> list[tuple[int, int, int, int]]:
    """Inputs, expanded, outputs and kernel of each block."""
    outputs = [16, *(row[1] for row in BODIES[body])]
    return [(i, row[0], row[1], row[2]) for i, row in zip(outputs, BODIES[body], strict=False)]


@pytest.mark.parametrize(
    ("name", "body"), [("mcunet_5fps", "mcunet-5fps"), ("proxyless_w03", "proxyless-w0.3"), ("mbv2_w035", "mbv2-w0.35")]
)
def test_the_names_are_mcunets(name: str, body: str) -> None:
    """The channels are held against the published description in test_int8."""
    assert shapes(made(name)[0]) == reference.mcunet(blocks(body))


def test_a_head_convolution_has_mcunets_name() -> None:
    headless, headed = shapes(made("proxyless_w03")[0]), shapes(made("proxyless_w03?head=384")[0])
    new = {name: shape for name, shape in headed.items() if name not in headless}
    conv = reference.conv("feature_mix_layer.conv", 384, 96, 1)
    assert new == conv | reference.norm("feature_mix_layer.bn", 384)
    assert headed["classifier.linear.weight"] == (1000, 384)


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "efficientnet_lite0", "shufflenet_v2_x0_5", "resnet18"])
def test_a_foreign_state_loads_strictly_and_changes_what_is_computed(name: str) -> None:
    module, _, _ = zoo.make(f"{name}?resolution=32")
    module.eval()
    generator = torch.Generator().manual_seed(0)
    state = {}
    for key, shape in STATES[name].items():
        kind = torch.long if key.endswith("num_batches_tracked") else torch.float32
        state[key] = torch.zeros(shape, dtype=kind) if kind is torch.long else torch.rand(shape, generator=generator)
    x = torch.randn(1, 3, 32, 32, generator=generator)
    before = module(x)
    module.load_state_dict(state, strict=True)
    assert not torch.equal(before, module(x))


@pytest.mark.parametrize("name", [*STATES, "mcunet_5fps"])
def test_without_norms_convolutions_have_the_norms_bias(name: str) -> None:
    """``norm=none`` is the reference folded: the same weights, and a bias of the norm's length for every norm."""
    plain, batch = (shapes(made(f"{name}?norm={norm}")[0]) for norm in ("none", "batch"))
    norms = [shape for key, shape in batch.items() if key.endswith("running_mean")]
    added = [shape for key, shape in plain.items() if key not in batch]
    assert added == norms
    gone = re.compile(r"\.(weight|bias|running_mean|running_var|num_batches_tracked)$")
    kept = {key: shape for key, shape in plain.items() if key in batch}
    assert all(batch[key] == shape for key, shape in kept.items())
    normed = {gone.sub("", key) for key in batch if key.endswith("running_mean")}
    assert {key for key in batch if gone.sub("", key) not in normed} == set(kept)


def test_epsilons_are_the_references() -> None:
    """torchvision: 1e-3 for MobileNetV3, else PyTorch's 1e-5; timm's tf_ models (padding=same): 1e-3."""
    for spec, eps in (
        ("mobilenet_v3_small", 1e-3),
        ("mobilenet_v3_large", 1e-3),
        ("efficientnet_b0", 1e-5),
        ("efficientnet_lite0", 1e-5),
        ("efficientnet_lite0?padding=same", 1e-3),
        ("shufflenet_v2_x0_5", 1e-5),
        ("resnet18", 1e-5),
        ("mobilenet_v1", 1e-5),
        ("har_fcn", 1e-3),
        ("audio_m5", 1e-5),
    ):
        norms = [m for m in made(spec)[0].modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
        assert {m.eps for m in norms} == {eps}, spec
