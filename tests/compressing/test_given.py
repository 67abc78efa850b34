"""What a user gives beside samples is refused in one line before anything is exported, and torch says nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import selvedge as sv
from selvedge.compressing.quantised import KEY, Facts, QuantisationWarning, Quantised

LIN = nn.Linear(4, 3)
X = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))


class Two(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lin = nn.Linear(4, 3)

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return self.lin(a + b)


def _made() -> Quantised:
    made = Quantised(nn.Module(), torch.fx.Graph(), "Quantised")
    made.meta[KEY] = Facts({"a": 8, "b": 4, "c": 32}, 816, 2480, 64, "minmax", 0.984)
    return made


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda: sv.quantise(LIN, (100 * X).int()), "calibration is of torch.int32: the model takes float32: give"),
        (lambda: sv.quantise(nn.Linear(4, 3).double(), X), "model is of torch.float64 (weight): give it in"),
        (lambda: sv.QAT(nn.Linear(4, 3).half(), X), "model is of torch.float16 (weight): give it in float32"),
        (lambda: sv.quantise(3, X), "model is of type int: give an nn.Module"),
        (lambda: sv.QAT(3, X), "model is of type int: give an nn.Module"),
        (lambda: sv.quantise(_made(), X), "model is already quantised: give the float model"),
        (lambda: sv.quantise(LIN, X, bits=[4]), "bits is [4]: give layer -> 8, 4, or 32"),
        (lambda: sv.quantise(LIN, X, bits={"": [4]}), "bits of  is [4]: give 8 or 4"),
        (lambda: sv.quantise(LIN, X, bits={0: 4}), "bits is 0: name the layer as the model does"),
        (lambda: sv.quantise(LIN, X, weights=[8]), "weights is [8]: give int8 or int4"),
        (lambda: sv.quantise(LIN, X, wanted_agreement="all"), "wanted_agreement is all: give a share"),
        (lambda: sv.quantise(Two(), (X, X)), "calibration is with 1 of the model's inputs: for several inputs give"),
        (lambda: sv.quantise(LIN, torch.randn(64, 5)), "calibration is of shape [N, 5]: the model fails on it"),
        (lambda: sv.compare(LIN, _made(), torch.randn(64, 5)), "data is of shape [N, 5]: the model fails on it"),
        (lambda: sv.QAT(LIN, torch.randn(64, 5)), "example is of shape [N, 5]: the model fails on it"),
        (lambda: sv.mixed_bits(LIN, X, budget=100, bits=()), "bits is (): give some of 4, 8"),
        (lambda: sv.mixed_bits(LIN, X, budget=100, bits=8), "bits is 8: give some of 4, 8"),
        (lambda: sv.mixed_bits(LIN, X, budget=100, bits=("8",)), "bits is 8: give some of 4, 8"),
        (lambda: sv.mixed_bits(LIN, X, budget="1KB"), "budget is 1KB: write bytes as a whole number or with a unit"),
        (lambda: sv.mixed_bits(LIN, X, budget=0), "budget is 0: give 1 byte or more"),
        (lambda: sv.mixed_bits(LIN, X, budget="1KiB", labels=[3] * 64), "labels is 3: the model has 3 classes"),
        (lambda: sv.mixed_bits(LIN, X, budget=100, labels=[-1] * 64), "labels is -1: the model has 3 classes"),
        (lambda: sv.mixed_bits(LIN, X, budget=100, labels=["a"] * 64), "labels is of type <U1: give class numbers"),
        *[
            (lambda flag=flag: sv.quantise(LIN, X, **{flag: "yes"}), f"{flag} is yes: give True or False")
            for flag in ("equalise", "correct_bias", "adaround", "per_tensor", "allow_few")
        ],
        (lambda: sv.QAT(LIN, X, learned_step=1), "learned_step is 1: give True or False"),
        *[
            (lambda n=n: sv.QAT.epochs(None, n), f"epochs is {n}: give a whole number of epochs, 1 or more")
            for n in ("a", 0, True)
        ],
    ],
)  # fmt: skip
def test_it_is_refused_in_one_line(call: Callable[[], Any], line: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(sv.InvalidInput) as refused:
        call()
    said = str(refused.value)
    assert said.startswith(" ".join(line.split())), said
    assert "\n" not in said
    assert capfd.readouterr() == ("", "")


def test_what_was_made_says_its_facts() -> None:
    wanted = "<Quantised: layers: 1 of 4 bits, 1 of 8 bits, 1 float; 816 of 2,480 B, agreement 98.4%>"
    assert repr(_made()) == str(_made()) == wanted


def test_no_layer_is_blamed_that_wins_nothing() -> None:
    assert "no layer hurts alone" in str(QuantisationWarning(0.9, 0.95, None, 0.0))
    assert "layer d hurts most (+3.0 dB" in str(QuantisationWarning(0.9, 0.95, "d", 3.0))
