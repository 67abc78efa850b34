"""No entry of the lowering table is without a test that compares it with PyTorch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torch import nn

import selvedge.capture.reading as reading
from selvedge.capture import SGD, capture, programs
from selvedge.capture.lower import LOWERINGS
from selvedge.errors import NotSupported
from tests.make import test_live

from . import test_lowering, test_lowering_along, test_quantised_numbers, test_recurrent, test_tokens, test_torch_losses
from .database import compare, samples_of
from .parity import Wrapped

# What the table has in order to refuse it by name, and what is gone in eval mode.
REFUSED = {"aten.item.default", "aten._local_scalar_dense.default", "aten.nonzero.default", "aten.bernoulli.default"}
REFUSED |= {"aten.dropout.default", "aten.feature_dropout.default", "aten.alpha_dropout.default"}


@contextmanager
def _reached() -> Iterator[set[str]]:
    """The names that are lowered meanwhile."""
    seen: set[str] = set()
    lower = reading.lower

    def watched(call, target, args, kwargs):
        seen.add(call.op)
        return lower(call, target, args, kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "lower", watched)
        yield seen


def _by_cases() -> set[str]:
    """By what the tests of this folder capture and compare, case by case."""
    images, volumes = torch.randn(2, 6, 4, 5).double(), torch.randn(2, 3, 4, 5, 4).double()
    with _reached() as seen:
        for function in (*test_lowering.IMAGES.values(), *test_lowering_along.IMAGES.values()):
            capture(Wrapped(function, 6).double(), images)
        for function in test_lowering_along.VOLUMES.values():
            capture(Wrapped(function, 4).double(), volumes)
        for function in test_lowering.IN_PLACE.values():
            model = nn.Sequential(nn.Conv2d(6, 6, 1), Wrapped(lambda x, f=function: f(x + 0), 6))
            capture(model.double(), images)
        for name, (make, shape) in test_lowering.MODULES.items():
            model, example = make().double().eval(), torch.randn(shape).double()
            capture(model, example)
            if name in test_lowering.CORE:
                capture(torch.export.export(model, (example,)).run_decompositions(), example)
        sequence = torch.randn(test_recurrent.STEPS, test_recurrent.BATCH, test_recurrent.INPUTS)
        for make in test_recurrent.NETWORKS.values():
            capture(test_recurrent.Whole(make(test_recurrent.INPUTS, test_recurrent.HIDDEN)).eval(), sequence)
        for make in test_recurrent.CELLS.values():
            capture(test_recurrent.Steps(make(test_recurrent.INPUTS, test_recurrent.HIDDEN)).eval(), sequence)
        for function in test_tokens.LOOKUPS.values():
            capture(test_tokens.Looked(function), torch.tensor([[4, 1, 4], [0, 2, 1]]))
        for per_channel in (False, True):
            capture(test_quantised_numbers.Rounded(per_channel).eval(), test_quantised_numbers.EXAMPLE)
        capture(test_live.Normed(), torch.randn(4, 3, 9, 9), norms="live")
        capture(test_live.Dropping(), torch.randn(4, 3, 7, 7), dropout=1)
        beside = nn.Sequential(nn.Conv2d(6, 6, 1), nn.BatchNorm2d(6), nn.Dropout2d(0.5), nn.Dropout(0.5))
        capture(beside, images.float(), norms="live", dropout=1)
        captured = capture(test_torch_losses._model(), torch.randn(test_torch_losses.ROWS, 4))
        for loss in test_torch_losses.WRITTEN.values():
            programs(captured, loss, SGD(0.1), captured.trainable)
    return seen


def _by_samples(op: str) -> set[str]:
    """By PyTorch's own samples of ``op``, of which those that are refused compare nothing."""
    compared: set[str] = set()
    for model in samples_of(op.split(".")[1]):
        with _reached() as seen:
            try:
                compare(model, np.random.default_rng(0))
            except NotSupported:
                continue
        compared |= seen
    return compared


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_every_lowering_is_tested() -> None:
    """In-place names that no case has are functionalised away."""
    in_place = {op for op in LOWERINGS if op.split(".")[1].endswith("_") and "__." not in op}
    unseen = LOWERINGS.keys() - _by_cases() - REFUSED - in_place
    for op in sorted(unseen):
        unseen -= _by_samples(op)
    assert not unseen, ", ".join(sorted(unseen))
