"""Recurrent networks and cells: RNN, GRU, LSTM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ... import ir
from ...ir.ops.recurrent import GATES
from ..tensor import Tensor
from .arithmetic import binary
from .dropout import drawn
from .linear import rows
from .shape import cat, select, stack
from .table import Call, lowers

State = tuple[Tensor, ...]  # h, and of an LSTM c: [N, H] each


@dataclass(frozen=True, slots=True)
class Weights:
    """Of one direction of one layer: [G * H, I], [G * H, H] and, where there are biases, [G * H] twice."""

    of_input: Tensor
    of_state: Tensor
    biases: tuple[Tensor, ...]


def _weights(params: Sequence[Tensor], has_biases: bool) -> list[Weights]:
    each = 4 if has_biases else 2
    parts = [params[i : i + each] for i in range(0, len(params), each)]
    return [Weights(p[0], p[1], tuple(p[2:])) for p in parts]


def _pass(
    call: Call, cell: str, x: Tensor, batch_first: bool, w: Weights, state: State, reverse: bool
) -> tuple[Tensor, State]:
    """One layer in one direction: every state, and the last ones. x [T, N, I], or [N, T, I] with ``batch_first``."""
    x = x if x.perm in ((0, 1, 2), (1, 0, 2)) else x.to((0, 1, 2), call.where)
    flags = {"reverse": reverse, "batch_first": batch_first == (x.perm == (0, 1, 2))}
    weight = w.of_state.to((1, 0), call.where).value
    gates = rows(call, x, w.of_input, transposed=True)
    before = [s.plainly(call.where) for s in state]
    if cell == "gru":
        gates = binary(call, "add", gates, w.biases[0]) if w.biases else gates
        of_state = w.biases[1].value if w.biases else ir.constant(np.zeros(weight.shape[1]), weight.dtype)
        y = gates.like(call.apply("gru", gates.value, weight, of_state, *before, **flags))
    else:
        gates = binary(call, "add", gates, binary(call, "add", *w.biases)) if w.biases else gates
        if cell == "lstm":
            made = ir.results("lstm", gates.value, weight, *before, where=call.where, **flags)
            y = gates.like(made[0])
        else:
            act = cell.removeprefix("rnn_")
            y = gates.like(call.apply("rnn", gates.value, weight, *before, act=act, **flags))
    last = select(call, y, 1 if batch_first else 0, 0 if reverse else -1)
    return y, (last, Tensor.plain(made[1])) if cell == "lstm" else (last,)


def _network(
    call: Call,
    cell: str,
    x: Tensor,
    states: Sequence[Tensor],
    params: Sequence[Tensor],
    has_biases: bool,
    layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> tuple[Tensor, ...]:
    """states: [L * D, N, H] each. Every state of the last layer, then the last states of all layers."""
    whole = params[0].shape[0] == GATES[cell.partition("_")[0]] * states[0].shape[2]
    call.require(whole, "a projection (proj_size) is not; use a linear layer after it")
    directions = 2 if bidirectional else 1
    weights = _weights(params, has_biases)
    lasts: list[State] = []
    for layer in range(layers):
        found = []
        for direction in range(directions):
            at = layer * directions + direction
            before = tuple(select(call, s, 0, at) for s in states)
            y, last = _pass(call, cell, x, batch_first, weights[at], before, direction == 1)
            found.append(y)
            lasts.append(last)
        x = cat(call, found, 2) if bidirectional else found[0]
        if train and layer + 1 < layers:
            x = drawn(call, x, dropout)
    return x, *(stack(call, [last[i] for last in lasts], 0) for i in range(len(states)))


@lowers("gru.input")
def gru(call: Call, x: Tensor, h: Tensor, *rest: object) -> tuple[Tensor, ...]:
    return _network(call, "gru", x, (h,), *rest)  # type: ignore[arg-type]


@lowers("lstm.input")
def lstm(call: Call, x: Tensor, states: Sequence[Tensor], *rest: object) -> tuple[Tensor, ...]:
    return _network(call, "lstm", x, states, *rest)  # type: ignore[arg-type]


@lowers("rnn_tanh.input")
def rnn_tanh(call: Call, x: Tensor, h: Tensor, *rest: object) -> tuple[Tensor, ...]:
    return _network(call, "rnn_tanh", x, (h,), *rest)  # type: ignore[arg-type]


@lowers("rnn_relu.input")
def rnn_relu(call: Call, x: Tensor, h: Tensor, *rest: object) -> tuple[Tensor, ...]:
    return _network(call, "rnn_relu", x, (h,), *rest)  # type: ignore[arg-type]


def _cell(call: Call, cell: str, x: Tensor, state: State, params: Sequence[Tensor | None]) -> State:
    """A sequence of one step. ``params``: two weights and two biases, which may be missing."""
    given = [p for p in params if p is not None]
    one = x.view((1, *x.shape), call.where)
    _, last = _pass(call, cell, one, False, _weights(given, len(given) == 4)[0], state, False)
    return last


@lowers("gru_cell.default")
def gru_cell(call: Call, x: Tensor, h: Tensor, *params: Tensor | None) -> Tensor:
    return _cell(call, "gru", x, (h,), params)[0]


@lowers("lstm_cell.default")
def lstm_cell(call: Call, x: Tensor, states: Sequence[Tensor], *params: Tensor | None) -> tuple[Tensor, ...]:
    return _cell(call, "lstm", x, tuple(states), params)


@lowers("rnn_tanh_cell.default")
def rnn_tanh_cell(call: Call, x: Tensor, h: Tensor, *params: Tensor | None) -> Tensor:
    return _cell(call, "rnn_tanh", x, (h,), params)[0]


@lowers("rnn_relu_cell.default")
def rnn_relu_cell(call: Call, x: Tensor, h: Tensor, *params: Tensor | None) -> Tensor:
    return _cell(call, "rnn_relu", x, (h,), params)[0]
