"""Optimisers as the command line names them, and what PyTorch's own training beside a trial makes of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import pytest
import torch

from selvedge.capture import SGD, Adam, Optimizer, RMSProp
from selvedge.data import Dataset
from selvedge.errors import InvalidInput
from selvedge.face.job import Job
from selvedge.face.optimizer import KINDS, parse, spelt
from selvedge.face.reference import OPTIMIZERS, reference


@pytest.mark.parametrize(
    "optimizer",
    [
        SGD(0.02),
        SGD(0.1, momentum=0.9, nesterov=True, weight_decay=1e-5),
        SGD(0.3, clip_value=0.5),
        Adam(1e-3),
        Adam(0.01, (0.8, 0.99), decoupled=True),
        SGD(0.01, momentum=0.9, state_dtype="int8", clip_norm=1.0),
        RMSProp(0.01, alpha=0.9),
    ],
    ids=repr,
)
def test_an_optimizer_spelt_is_read_as_itself(optimizer: Optimizer) -> None:
    assert parse(spelt(optimizer)) == optimizer


def test_state_is_read_as_it_is_spelt_here_and_as_a_refusal_says_it() -> None:
    assert parse("adam:state_dtype=int8") == parse("adam:state=int8") == replace(parse("adam"), state_dtype="int8")
    with pytest.raises(InvalidInput, match="give state once"):
        parse("adam:state_dtype=int8,state=bfloat16")


def test_every_optimizer_that_pytorch_has_is_trained_with_beside_a_trial() -> None:
    theirs = {name.lower() for name in vars(torch.optim)}
    assert {kind for name, (kind, _) in KINDS.items() if name in theirs} == set(OPTIMIZERS)


@dataclass(frozen=True)
class Foreign:
    """An optimiser that PyTorch does not have."""

    lr: float = 0.1


def test_an_optimizer_that_pytorch_lacks_has_no_row_beside_it() -> None:
    nothing = cast(Dataset, np.zeros(0))  # not looked at
    job = Job("model", torch.nn.Linear(2, 2), torch.zeros(1, 2), "cross_entropy", nothing, 0)
    assert reference(job, cast(Optimizer, Foreign()), "constant", 1, 8, 0, "CrossEntropy") is None
