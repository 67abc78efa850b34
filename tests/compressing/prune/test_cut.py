"""A cut network computes what the whole one does without those channels; widths and a state dict rebuild it."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

import selvedge as sv
from selvedge import zoo

from .nets import ALL, RandomCNN, images, made


def silenced(net: nn.Module, small: sv.Pruned) -> nn.Module:
    """``net`` with nothing read of what ``small`` lost: column by column, independently of how it was cut."""
    net = copy.deepcopy(net).double()
    for name, stays in small.kept.items():
        layer = net.get_submodule(name)
        if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d) and getattr(layer, "groups", 1) == 1:
            for i in set(range(layer.weight.shape[1])) - set(stays.inputs):
                layer.weight.data[:, i] = 0
        elif isinstance(layer, nn.ConvTranspose2d):
            for i in set(range(layer.weight.shape[0])) - set(stays.inputs):
                layer.weight.data[i] = 0
        elif isinstance(layer, nn.Conv2d) and layer.groups < layer.in_channels:
            for i in set(range(layer.in_channels)) - set(stays.inputs):
                rows, size = layer.out_channels // layer.groups, layer.in_channels // layer.groups
                layer.weight.data[i // size * rows : (i // size + 1) * rows, i % size] = 0
    return net


def check(net: nn.Module, small: sv.Pruned, fresh: nn.Module, x: torch.Tensor, folder: Path) -> None:
    """As the whole network in float64; bit by bit as one that was saved and read into a fresh model."""
    with torch.no_grad():
        wide = x.double() if x.is_floating_point() else x
        wanted, found = silenced(net.eval(), small)(wide), copy.deepcopy(small.model).double().eval()(wide)
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-9)
        small.widths.save(folder / "widths.json")
        torch.save(small.model.state_dict(), folder / "state.pt")
        again = sv.Widths.load(folder / "widths.json").apply(fresh, x)
        again.load_state_dict(torch.load(folder / "state.pt", weights_only=True), strict=True)
        assert type(again) is type(net)
        assert torch.equal(again.eval()(x), small.model.eval()(x))
    assert sv.Widths.of(again) == small.widths
    for name, module in again.named_modules():
        assert type(module) is type(net.get_submodule(name))
        assert str(module) == str(small.model.get_submodule(name))


@pytest.mark.parametrize("name", ALL)
def test_every_kind_of_network(name: str, tmp_path: Path) -> None:
    net = made(name)
    before = copy.deepcopy(net.state_dict())
    small = sv.prune(net, images(1), {"channels": 0.8}, multiple=2)
    assert small.share["channels"] <= 0.8
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    check(net, small, made(name, seed=1), images(), tmp_path)


KINDS = st.sampled_from(["plain", "residual", "depthwise", "grouped", "concat", "gate"])


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    blocks=st.lists(st.tuples(KINDS, st.integers(1, 3)), min_size=1, max_size=4),
    norm=st.booleans(), flat=st.booleans(), seed=st.integers(0, 2**16),
    rank=st.sampled_from(["global", "layer"]), criterion=st.sampled_from(["l1", "l2", "random"]),
)  # fmt: skip
def test_any_network(
    blocks: list[tuple[str, int]], norm: bool, flat: bool, seed: int, rank: str, criterion: str, tmp_path: Path
) -> None:
    torch.manual_seed(seed)
    net = RandomCNN(blocks, norm, flat)
    net.train()(images(8, seed=seed))
    small = sv.prune(net, images(1), {"parameters": 0.75}, multiple=1, rank=rank, criterion=criterion, seed=seed)
    assert small.share["parameters"] <= 0.75
    check(net, small, RandomCNN(blocks, norm, flat), images(seed=seed + 1), tmp_path)


ZOO = [
    "resnet8?norm=none", "ds_cnn?padding=same", "deep_autoencoder", "audio_m5", "har_fcn?width=0.25", "text_cnn",
    "mobilenet_v1_025?resolution=32", "mobilenet_v2?width=0.35&resolution=32&classes=10",
    "mobilenet_v3_small?width=0.5&resolution=32&classes=10", "shufflenet_v2_x0_5?resolution=32&classes=10",
    "resnet18?resolution=32&classes=10", "mcunet_5fps?resolution=32&classes=10",
    "efficientnet_b0?width=0.25&resolution=32&classes=10",
]  # fmt: skip


@pytest.mark.parametrize("spec", ZOO)
def test_the_zoo(spec: str, tmp_path: Path) -> None:
    net, x, _ = zoo.make(spec)
    if x.is_floating_point():
        with torch.no_grad():
            net.train()(torch.randn(4, *x.shape[1:], generator=torch.Generator().manual_seed(3)))  # statistics
    small = sv.prune(net, x, {"macs": 0.6})
    assert 0.5 < small.share["macs"] <= 0.6
    for name, width in small.widths.layers.items():
        whole = sv.Widths.of(net).layers[name]
        assert width.outputs % 8 == 0 or width.outputs == whole.outputs
        assert width.outputs >= min(8, whole.outputs)
    check(net, small, zoo.make(spec, seed=1)[0], x, tmp_path)
    if "shuffle" in spec:
        assert small.held["stage2.1.branch2.5"] == "its channels part by their position"
        assert "stage2.1.branch2.0" not in small.held


@pytest.mark.parametrize("spec", ["keyword_gru", "keyword_lstm", "char_gru"])
def test_a_recurrent_network_is_refused_in_one_line(spec: str) -> None:
    net, x, _ = zoo.make(spec)
    with pytest.raises(sv.NotSupported) as refused:
        sv.prune(net, x, {"macs": 0.5})
    line = "pruning this model is not supported: no channels can be cut: fc goes into the model's output"
    assert str(refused.value) == line


@pytest.mark.parametrize("criterion", ["l1", "l2", "taylor", "bn_scale", "hessian"])
def test_channels_that_are_zero_go_first_and_nothing_changes(criterion: str) -> None:
    """Half of the channels of every layer made zero by hand, from the norm on: every criterion finds exactly those, and
    the output stays as it was."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 16, 3, groups=16), nn.BatchNorm2d(16),
        nn.ReLU(), nn.Conv2d(16, 8, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(8, 4),
    )  # fmt: skip
    net.train()(images(16))
    dead = {0: [1, 2, 5, 7, 8, 11, 12, 15], 6: [0, 3, 4, 6]}
    with torch.no_grad():
        for layer, norms, reader in ((0, (1, 4), 6), (6, (7,), 11)):
            rows = dead[layer]
            net[layer].weight[rows] = 0
            net[layer].bias[rows] = 0
            net[reader].weight[:, rows] = 0
            for norm in norms:
                net[norm].weight[rows] = 0
                net[norm].bias[rows] = 0
    x, y = images(64, seed=1), torch.arange(64) % 4
    small = sv.prune(
        net, x[:1], {"channels": 16 / 28}, criterion=criterion, data=(x, y), multiple=4, rank="layer", keep=["11"]
    )
    for layer, rows in dead.items():
        assert set(small.kept[str(layer)].outputs) == set(range(net[layer].out_channels)) - set(rows)
    torch.testing.assert_close(small.model.eval()(x), net.eval()(x), rtol=1e-5, atol=1e-6)


def test_the_widths_are_a_line_a_layer(tmp_path: Path) -> None:
    small = sv.prune(made("residual"), images(1), {"macs": 0.7}, multiple=4)
    small.widths.save(tmp_path / "widths.json")
    text = (tmp_path / "widths.json").read_text()
    assert len(text.splitlines()) == len(small.widths.layers) + 5
    assert json.loads(text)["layers"]["c"] == {
        "kind": "Conv2d", "inputs": small.widths.layers["c"].inputs, "outputs": 8 if "a" not in small.kept else 4,
        "groups": 1,
    }  # fmt: skip
