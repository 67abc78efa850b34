"""Recurrent networks and cells: every state, and the gradients through all steps, are PyTorch's, in float64."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from .parity import agree

STEPS, BATCH, INPUTS, HIDDEN = 4, 2, 3, 5


class Whole(nn.Module):
    """All states of a network, and the last ones of every layer and direction."""

    def __init__(self, network: nn.RNNBase) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y, last = self.network(x)
        return torch.cat([y.flatten(), *(s.flatten() for s in (last if isinstance(last, tuple) else (last,)))])


class Steps(nn.Module):
    """A cell, step by step; its first state is made of the input."""

    def __init__(self, cell: nn.RNNCellBase) -> None:
        super().__init__()
        self.cell = cell
        self.first = nn.Linear(INPUTS, HIDDEN)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        state = self.first(x[0])
        if isinstance(self.cell, nn.LSTMCell):
            state = (state, state * state)
        for step in x:
            state = self.cell(step, state)
        return torch.cat(state) if isinstance(state, tuple) else state


Make = Callable[..., nn.Module]
NETWORKS: dict[str, Make] = {
    "rnn": nn.RNN,
    "rnn relu": lambda *sizes, **options: nn.RNN(*sizes, nonlinearity="relu", **options),
    "gru": nn.GRU,
    "lstm": nn.LSTM,
}
CELLS: dict[str, Make] = {
    "rnn": nn.RNNCell,
    "rnn relu": lambda *sizes, **options: nn.RNNCell(*sizes, nonlinearity="relu", **options),
    "gru": nn.GRUCell,
    "lstm": nn.LSTMCell,
}
OPTIONS: dict[str, dict[str, bool | int]] = {
    "plain": {},
    "batch first": {"batch_first": True},
    "both directions": {"bidirectional": True},
    "two layers, no biases": {"num_layers": 2, "bias": False},
    "all of it": {"num_layers": 2, "bidirectional": True, "batch_first": True},
}


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("name", NETWORKS)
def test_networks(name: str, options: str) -> None:
    agree(Whole(NETWORKS[name](INPUTS, HIDDEN, **OPTIONS[options])), torch.randn(STEPS, BATCH, INPUTS))


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_of_one_sequence(name: str) -> None:
    agree(Whole(NETWORKS[name](INPUTS, HIDDEN)), torch.randn(STEPS, INPUTS))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", CELLS)
def test_cells(name: str, bias: bool) -> None:
    agree(Steps(CELLS[name](INPUTS, HIDDEN, bias=bias)), torch.randn(STEPS, BATCH, INPUTS))
