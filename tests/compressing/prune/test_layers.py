"""Layers that are called in other ways, or have weights of other kinds, than a convolution in a row."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

import selvedge as sv
from selvedge.compressing.prune.cost import named, totals
from selvedge.compressing.prune.cut import Kept

from .nets import Net, conv, head, images


def macs(net: nn.Module, *x: torch.Tensor) -> int:
    return named(totals(net, x))["macs"]


def counted(net: nn.Module, *x: torch.Tensor) -> int:
    """By PyTorch's own counter, for one sample."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net.eval()(*x)
    return counter.get_total_flops() // 2 // len(x[0])


def behind(layer: nn.Module, reads: int) -> Net:
    """A convolution, ``layer``, and a convolution that reads it."""
    return Net(
        lambda n, x: n.fc(head(torch.relu(n.b(n.layer(torch.relu(n.a(x))))))),
        a=conv(3, 16), layer=layer, b=conv(reads, 16), fc=nn.Linear(16, 5),
    )  # fmt: skip


class Cells(nn.Module):
    def __init__(self, kind: Callable[..., nn.RNNCellBase]) -> None:
        super().__init__()
        self.a, self.cell, self.fc = nn.Linear(6, 16), kind(16, 12), nn.Linear(12, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        state = None
        for step in x.unbind(1):
            state = self.cell(torch.relu(self.a(step)), state)
        assert state is not None
        return self.fc(state[0] if isinstance(state, tuple) else state)


@pytest.mark.parametrize("kind", [nn.GRUCell, nn.LSTMCell, nn.RNNCell])
def test_cells_count_at_every_step(kind: Callable[..., nn.RNNCellBase]) -> None:
    net, x = Cells(kind), torch.randn(4, 7, 6)
    assert macs(net, x) == counted(net, x)
    gates = {nn.GRUCell: 3, nn.LSTMCell: 4, nn.RNNCell: 1}[kind]  # type: ignore[index]
    assert macs(net, x) == 7 * (6 * 16 + gates * 12 * (16 + 12)) + 12 * 3


@pytest.mark.parametrize(
    "layer",
    [
        nn.ConvTranspose2d(16, 24, 4, 2, 1, groups=4),
        nn.utils.parametrizations.weight_norm(nn.Conv2d(16, 24, 3, padding=1)),
    ],
    ids=["grouped transposed", "weight norm"],
)
def test_layers_that_are_not_cut_count_all_the_same(layer: nn.Module) -> None:
    net, x = behind(layer, 24), images(3)
    assert macs(net, x) == counted(net, x)
    small = sv.prune(net, x, {"macs": 0.9}, multiple=1)
    assert small.after["macs"] == counted(small.model, x)
    assert small.share["macs"] == counted(small.model, x) / counted(net, x) <= 0.9


def test_packed_sequences_count_their_own_steps() -> None:
    class Packed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gru, self.fc = nn.GRU(6, 8), nn.Linear(8, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            packed = nn.utils.rnn.pack_padded_sequence(x, [7, 4], batch_first=True)
            return self.fc(self.gru(packed)[1][0])

    assert macs(Packed(), torch.randn(2, 7, 6)) == round((7 + 4) / 2 * 3 * 8 * (6 + 8) + 8 * 3)


class Encoder(nn.Module):
    def __init__(self, first: bool = False) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True, norm_first=first)
        self.a, self.fc = nn.Linear(6, 32), nn.Linear(32, 3)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.layers(self.a(x)).mean(1))


@pytest.mark.parametrize("first", [False, True])
def test_pytorchs_own_transformer_is_cut_between_its_linear_layers(first: bool) -> None:
    """In evaluation mode it does not call them."""
    torch.manual_seed(0)
    net, x = Encoder(first).eval(), torch.randn(2, 5, 6)
    whole = 5 * 6 * 32 + 2 * 5 * (4 * 32 * 32 + 2 * 32 * 64) + 32 * 3  # the projections of attention are counted
    assert macs(net, x) == whole
    small = sv.prune(net, x, {"macs": 0.8})
    assert set(small.kept) == {f"layers.layers.{i}.linear{j}" for i in (0, 1) for j in (1, 2)}
    left = sum(small.widths.layers[f"layers.layers.{i}.linear1"].outputs for i in (0, 1))
    assert small.after["macs"] == whole - 5 * 2 * 32 * (128 - left)
    assert small.share["macs"] <= 0.8
    assert torch.backends.mha.get_fastpath_enabled()
    for i in (0, 1):
        rows = small.kept[f"layers.layers.{i}.linear2"]
        assert isinstance(rows, Kept)
        gone = [j for j in range(64) if j not in rows.inputs]
        net.get_submodule(f"layers.layers.{i}.linear2").weight.data[:, gone] = 0
    with torch.no_grad():
        torch.testing.assert_close(small.model(x), net(x), rtol=1e-5, atol=1e-6)
    fresh = small.widths.apply(Encoder(first), x)
    fresh.load_state_dict(small.model.state_dict())
    with torch.no_grad():
        assert torch.equal(fresh.eval()(x), small.model(x))


def test_layers_that_are_called_by_keyword_count_and_are_cut() -> None:
    def by_name(n: Net, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(n.norm(input=n.a(input=x)))
        return n.fc(input=head(torch.relu(n.b(input=x))))

    def plainly(n: Net, x: torch.Tensor) -> torch.Tensor:
        return n.fc(head(torch.relu(n.b(torch.relu(n.norm(n.a(x)))))))

    layers = {"a": conv(3, 16), "norm": nn.BatchNorm2d(16), "b": conv(16, 16), "fc": nn.Linear(16, 5)}
    x = images(2)
    a, b = (sv.prune(Net(does, **layers), x, {"macs": 0.6}) for does in (by_name, plainly))
    assert (a.before, a.after, a.kept) == (b.before, b.after, b.kept)
    assert torch.equal(a.model.eval()(x), b.model.eval()(x))


class Scale(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.by = nn.Parameter(torch.tensor([0.5]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.by


@pytest.mark.parametrize("layer", [nn.PReLU(), Scale()], ids=["one slope", "one scale"])
def test_a_layer_of_one_number_holds_no_channels(layer: nn.Module) -> None:
    net, x = behind(layer, 16), images(2)
    small = sv.prune(net, x, {"macs": 0.5})
    assert small.held == {"fc": "goes into the model's output"}
    assert small.widths.layers["a"].outputs == 8
    assert "layer" not in small.widths.layers


class Routed(nn.Module):
    """Each sample goes through the one of two layers that a third chooses."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.route, self.fc = nn.Linear(6, 16), nn.Linear(16, 2), nn.Linear(16, 3)
        self.experts = nn.ModuleList(nn.Linear(16, 16) for _ in range(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.a(x))
        chosen, made = self.route(x).argmax(1), torch.zeros_like(x)
        for i, expert in enumerate(self.experts):
            made[chosen == i] = expert(x[chosen == i])
        return self.fc(torch.relu(made))


@pytest.mark.parametrize("seed", range(3))
def test_what_goes_another_way_for_other_values_is_refused_in_one_line(seed: int) -> None:
    torch.manual_seed(seed)
    with pytest.raises(sv.NotSupported, match=r"depend.* on values.* prune the parts that it is made of one by one"):
        sv.prune(Routed(), torch.randn(8, 6), {"macs": 0.5})


class Noisy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.fc = nn.Linear(6, 16), nn.Linear(16, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(functional.dropout(torch.relu(self.a(x)), 0.2, True))


def test_a_model_that_is_random_when_it_is_asked_is_refused_in_one_line() -> None:
    with pytest.raises(sv.InvalidInput, match="model is another at every call: mend what is random or keeps state"):
        sv.prune(Noisy(), torch.randn(2, 6), {"macs": 0.5})


def test_frozen_layers_stay_in_the_mode_that_they_were_left_in() -> None:
    """A norm that is kept in evaluation mode while the rest trains."""
    net, x = behind(nn.BatchNorm2d(16), 16).train(), images(2)
    pruner = sv.Pruner(net, x, {"macs": 0.6}, steps=2)
    pruner.step()
    pruner.model.train()
    pruner.model.layer.eval()
    assert pruner.share["macs"] < 1
    pruner.step()
    assert pruner.model.training
    assert not pruner.model.layer.training
    fresh = behind(nn.BatchNorm2d(16), 16).train()
    fresh.layer.eval()
    pruner.widths.apply(fresh, x)
    assert fresh.training
    assert not fresh.layer.training


def test_adafactor_goes_along() -> None:
    """Its second moments are a row and a column of each matrix."""
    x, y = torch.randn(8, 6), torch.arange(8) % 5
    net = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 5))
    pruner = sv.Pruner(net, x[:1], {"macs": 0.5})
    optimizer = torch.optim.Adafactor(pruner.model.parameters(), 1e-2)

    def step() -> None:
        optimizer.zero_grad()
        functional.cross_entropy(pruner.model.train()(x), y).backward()
        optimizer.step()

    step()
    memory = optimizer.state[pruner.model[2].weight]
    rows, columns = memory["row_var"].clone(), memory["col_var"].clone()
    assert (rows.shape, columns.shape) == ((16, 1), (1, 16))
    cut = pruner.step()
    cut.carry(optimizer)
    kept = cut.kept["2"]
    assert len(kept.inputs) == len(kept.outputs) == 8
    assert torch.equal(memory["row_var"], rows[list(kept.outputs)])
    assert torch.equal(memory["col_var"], columns[:, list(kept.inputs)])
    step()
    assert all(bool(torch.isfinite(p).all()) for p in pruner.model.parameters())
