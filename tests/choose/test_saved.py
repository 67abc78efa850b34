"""What the gradients of tensors read of the forward pass, whole and in part."""

from __future__ import annotations

import torch
from torch import nn

from selvedge.capture import SGD, CrossEntropy, Programs, capture, programs, select
from selvedge.choose import inputs, saved


def made(update: str) -> Programs:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 8, 1), nn.Sigmoid(), nn.Conv2d(8, 4, 3), nn.Sigmoid(), nn.Flatten(), nn.Linear(64, 5)]
    captured = capture(nn.Sequential(*layers).eval(), (torch.zeros(2, 3, 6, 6),))
    return programs(captured, CrossEntropy(), SGD(0.1, 0.9), select(captured, update))


def test_a_weight_reads_its_layers_input_and_what_is_behind_it() -> None:
    step = made("full").step
    reads, own = (of(step, ["0.weight", "2.weight", "2.bias", "5.weight"]) for of in (saved, inputs))
    x, first, second = 2 * 36 * 3 * 4, 2 * 36 * 8 * 4, 2 * 16 * 4 * 4
    assert {n: sorted(reads[n][k] for k in keys) for n, keys in own.items()} == {
        "0.weight": [x], "2.weight": [first], "2.bias": [], "5.weight": [second]
    }  # fmt: skip
    assert set(reads["2.bias"]) == set(reads["2.weight"]) - own["2.weight"]
    assert second in reads["2.bias"].values()  # the derivative of a sigmoid is made of its result
    assert set(reads["2.weight"]) < set(reads["0.weight"])


def test_a_part_reads_its_channels_and_nothing_else_of_its_input() -> None:
    whole, part = (saved(made(u).step, ["2.weight"])["2.weight"] for u in ("2.weight", "2.weight[:25%]"))
    first = 2 * 36 * 8 * 4
    assert first in whole.values()
    assert first not in part.values()
    assert sum(whole.values()) - sum(part.values()) == first * 3 // 4
