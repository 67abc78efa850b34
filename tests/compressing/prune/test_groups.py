"""Which channels go together: by hand, and as torch-pruning says where it is right."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch_pruning
from torch import nn

import selvedge as sv
from selvedge import zoo
from selvedge.compressing.prune.groups import Found, find
from selvedge.compressing.prune.proof import proven

from .nets import images, made

# Layers that make channels together -> how many atoms there are; and what is held.
EXPECTED: dict[str, tuple[dict[str, int], dict[str, str]]] = {
    "residual": ({"a c": 8, "b": 12}, {}),
    "concatenated": ({"a": 8, "b": 4, "c": 8}, {}),
    "squeezed": ({"a up": 16, "down": 8, "b": 8}, {}),
    "flattened": ({"a": 8, "hidden": 16}, {}),
    "grouped": ({"a": 4, "b": 6}, {}),
    "multiplied": ({"a": 8, "b": 8}, {}),
    "gated": ({"a": 8, "b": 8}, {}),
    "shuffled": ({"a": 8, "c": 8}, {"b": "what comes behind them counts on their positions"}),
    "transposed": ({"down": 8, "up": 16}, {}),
    "attended": ({"a": 8, "c": 8}, {"b": "its channels are not independent of each other"}),
    "normed": ({"a": 16}, {"b": "goes into ln"}),
}


def found(net: nn.Module, x: torch.Tensor) -> Found:
    return proven(net, (x,), find(net, (x,)), 0)


@pytest.mark.parametrize("name", EXPECTED)
def test_channels_go_together_as_they_should(name: str) -> None:
    groups, held = EXPECTED[name]
    seen = found(made(name), images())
    assert {" ".join(m.layer for m in g.at("out")): g.size for g in seen.groups} == groups
    last = "out" if name == "transposed" else "fc"
    assert seen.held == {**held, last: "goes into the model's output"}


def test_the_channels_of_an_atom_are_known_by_number() -> None:
    """Flattened: channel c is read as features 4c to 4c + 3. Gated: i and i + 8 are one. Concatenated: b behind a."""
    a = next(g for g in found(made("flattened"), images()).groups if g.name == "a")
    assert dict(zip((m.layer for m in a.members), (m.index for m in a.members), strict=True)) == {
        "a": tuple((c,) for c in range(8)),
        "act": tuple((c,) for c in range(8)),
        "hidden": tuple(tuple(range(4 * c, 4 * c + 4)) for c in range(8)),
    }
    (gated,) = (g for g in found(made("gated"), images()).groups if g.name == "a")
    assert {m.layer: m.index for m in gated.members} == {
        "a": tuple((i, i + 8) for i in range(8)),
        "b": tuple((i,) for i in range(8)),
    }
    (b,) = (g for g in found(made("concatenated"), images()).groups if g.name == "b")
    assert {m.layer: m.index for m in b.members} == {
        "b": tuple((i,) for i in range(4)),
        "c": tuple((i + 8,) for i in range(4)),
    }


def graph_of(net: nn.Module, x: torch.Tensor) -> torch_pruning.DependencyGraph:
    return torch_pruning.DependencyGraph().build_dependency(net, (x,), verbose=False)


def peers(
    graph: torch_pruning.DependencyGraph, layer: nn.Module, channel: int
) -> set[tuple[str, str, tuple[int, ...]]]:
    """What torch-pruning cuts with one channel: (layer, side, channels)."""
    pruner = graph.get_pruner_of_module(layer)
    names = {m: n for n, m in graph.model.named_modules()}
    made = set()
    for dep, index in graph.get_pruning_group(layer, pruner.prune_out_channels, [channel]).items:
        module: Any = dep.target.module
        if module in names and type(module) in (nn.Conv2d, nn.Conv1d, nn.Linear, nn.BatchNorm2d, nn.BatchNorm1d):
            through = isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) or getattr(module, "groups", 1) > 1
            side = "through" if through else "out" if "out" in dep.handler.__name__ else "in"
            made.add((names[module], side, tuple(sorted(index))))
    return made


@pytest.mark.parametrize(
    "spec",
    [
        "resnet8", "ds_cnn", "deep_autoencoder", "mobilenet_v2?width=0.25&resolution=32&classes=10",
        "mobilenet_v3_small?width=0.25&resolution=32&classes=10",
    ],
)  # fmt: skip
def test_groups_are_those_of_torch_pruning(spec: str) -> None:
    net, x, _ = zoo.make(spec)
    net.eval()
    seen = find(net, (x,))
    layers, graph = dict(net.named_modules()), graph_of(net, x)
    for group in seen.groups:
        k = group.size // 3
        mine = {(m.layer, m.side, m.index[k]) for m in group.members}
        (channel,) = next(m for m in group.members if m.layer == group.name).index[k]
        assert mine == peers(graph, layers[group.name], channel)


def test_torch_pruning_still_gets_wrong_what_is_found_here() -> None:
    """Why groups are not its (ADR 0026): three windows flattened and concatenated, and a shuffle. Here the whole
    network proves that ours are right; when this fails, torch-pruning has mended them."""
    net, x, _ = zoo.make("text_cnn")
    conv = net.get_submodule("convs.1")
    assert ("fc", "in", (32 + 5,)) in {
        (m.layer, m.side, m.index[5]) for g in find(net, (x,)).groups if g.name == "convs.1" for m in g.members
    }
    assert ("fc", "in", (32 + 5,)) not in peers(graph_of(net.eval(), x), conv, 5)
    net, x, _ = zoo.make("shufflenet_v2_x0_5?resolution=32&classes=10")
    with pytest.raises(ZeroDivisionError):
        graph_of(net, x)


def test_shared_weights_parametrizations_and_unused_layers_stay() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c = nn.Linear(4, 16), nn.Linear(16, 16), nn.Linear(16, 16)
            self.d, self.e, self.fc = nn.Linear(16, 16), nn.Linear(16, 16), nn.Linear(16, 3)
            self.c.weight = self.b.weight
            self.unused = nn.Linear(16, 16)
            nn.utils.parametrizations.weight_norm(self.d)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for layer in (self.a, self.b, self.c, self.d, self.e):
                x = torch.relu(layer(x))
            return self.fc(x)

    x = torch.randn(2, 4)
    net = Odd()
    seen = found(net, x)
    assert [g.name for g in seen.groups] == ["e"]
    assert seen.held["a"] == "goes into b"
    small = sv.prune(net, x, {"channels": 0.9})
    assert small.widths.layers["e"].outputs == 8


def test_a_model_that_begins_or_ends_otherwise_keeps_its_ends() -> None:
    """The input is added to what two layers make, and the output is a dict of two."""

    class Ends(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c = nn.Linear(16, 16), nn.Linear(16, 16), nn.Linear(16, 16)

        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            x = x + self.a(x)
            return {"hidden": (h := torch.relu(self.b(x))), "out": self.c(h)}

    with pytest.raises(sv.NotSupported) as refused:
        sv.prune(Ends(), torch.randn(2, 16), {"macs": 0.5})
    assert "a comes from the model's input too; b goes into the model's output" in str(refused.value)
