"""Whatever holds a model's outputs - a tuple, a list, a dict, one in another - is quantised alike; the first of them is
what figures are of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import nn

import selvedge as sv
from selvedge import ir
from selvedge.errors import InvalidInput


class Pair(NamedTuple):
    logits: torch.Tensor
    boxes: torch.Tensor


@dataclass
class Result:
    logits: torch.Tensor
    boxes: torch.Tensor


class Heads(nn.Module):
    """Two linear heads, in what ``held`` makes of them."""

    def __init__(self, held: Callable[[torch.Tensor, torch.Tensor], Any]) -> None:
        super().__init__()
        self.trunk, self.logits, self.boxes = nn.Linear(4, 8), nn.Linear(8, 3), nn.Linear(8, 2)
        self.held = held

    def forward(self, x: torch.Tensor) -> Any:
        x = torch.relu(self.trunk(x))
        return self.held(self.logits(x), self.boxes(x))


def heads(held: Callable[[torch.Tensor, torch.Tensor], Any]) -> tuple[nn.Module, torch.Tensor]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Heads(held).eval(), torch.randn(64, 4)


@pytest.mark.parametrize(
    ("held", "kind"),
    [
        (lambda a, b: (a, b), tuple),
        (lambda a, b: [a, b], list),
        (Pair, Pair),
        (lambda a, b: {"logits": a, "boxes": b}, dict),
        (lambda a, b: {"all": [a, {"boxes": b}]}, dict),
    ],
    ids=["tuple", "list", "named tuple", "dict", "nested"],
)
def test_outputs_in_any_holder(held: Callable[[torch.Tensor, torch.Tensor], Any], kind: type) -> None:
    net, x = heads(held)
    made = sv.quantise(net, x)
    assert type(made(x)) is kind
    plain, _ = heads(lambda a, b: (a, b))
    expected = sv.quantise(plain, x)
    assert made.agreement == expected.agreement
    assert str(sv.compare(net, made, x)) == str(sv.compare(plain, expected, x))
    network = sv.network(made, x[:1])
    assert list(network.outputs) == ["output", "output1"]  # in order
    got = ir.interpret(network.graph, {"x": x[:1].numpy()}, {})
    for array, tensor in zip(got.values(), expected(x[:1]), strict=True):
        np.testing.assert_allclose(array, tensor.numpy(), atol=0.05)
    qat = sv.QAT(net, x)
    assert type(qat(x)) is kind
    assert type(qat.convert()(x)) is kind


@pytest.mark.parametrize("call", [sv.quantise, sv.QAT], ids=["quantise", "QAT"])
@pytest.mark.parametrize(
    ("held", "said"),
    [(Result, "a Result"), (lambda a, b: {"a": a, "b": Result(a, b)}, "a Result"), (lambda a, b: None, "a NoneType")],
    ids=["dataclass", "within", "nothing"],
)
def test_what_holds_them_otherwise_is_one_line(call: Any, held: Callable[..., Any], said: str) -> None:
    net, x = heads(held)
    with pytest.raises(InvalidInput) as error:
        call(net, x)
    line = f"model is giving {said}: its forward must return a tensor, or a tuple, list or dict of them"
    assert str(error.value) == line
