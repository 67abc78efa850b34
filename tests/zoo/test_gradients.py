"""Gradients of the convolutional networks are autograd's, at batch 1 and 4, and their bytes the predicted ones.

In CI narrow networks on small images are interpreted: the operators, the order of the layers and the names are those
of the full ones. ``SELVEDGE_FULL=1`` takes every network at its full width, in native code, which takes minutes each.
"""

from __future__ import annotations

import os

import numpy as np
import pytest

import selvedge as sv
from selvedge.capture import capture
from tests import oracle
from tests.capture.parity import parameter_gradients
from tests.make.test_memory import assert_measured_is_predicted
from tests.models import disagreements, reference
from tests.zoo.published import macs

# Tokens and recurrent networks, small.
OVER_TIME = (
    "char_gru?hidden=9&embedding=5&length=7&layers=2",
    "text_cnn?vocabulary=30&embedding=6&features=5&length=12",
    "keyword_gru?hidden=9&length=6",
    "keyword_lstm?hidden=9&length=6",
)
# With the batch that each is asked at; in full, every one is at both.
NARROW = (
    ("mobilenet_v1?width=0.125&resolution=32&classes=5", 4),
    ("mobilenet_v3_small?width=0.25&resolution=32&classes=5", 1),
    ("efficientnet_b0?width=0.125&resolution=32&classes=5", 4),
    ("efficientnet_lite0?width=0.125&resolution=32&classes=5&padding=same", 1),
    ("shufflenet_v2_x0_5?resolution=32&classes=5", 4),
    ("mcunet_5fps?resolution=32&classes=5&head=24", 1),
    ("har_fcn?width=0.125", 4),
    ("audio_m5?width=0.25", 1),
    *((spec, 4) for spec in OVER_TIME),
)
FULL = (
    "mobilenet_v1?resolution=64",
    "mobilenet_v2?resolution=64",
    "mobilenet_v3_small?resolution=64",
    "mobilenet_v3_large?resolution=64",
    "efficientnet_b0?resolution=64",
    *(f"efficientnet_lite{size}?resolution=64" for size in range(5)),
    *(f"shufflenet_v2_x{size}?resolution=64" for size in ("0_5", "1_0", "1_5", "2_0")),
    "resnet18?resolution=64",
    "mcunet_5fps?resolution=64",
    "proxyless_w03?resolution=64",
    "mbv2_w035?resolution=64",
    "har_fcn",
    "audio_m5",
    "char_gru",
    "text_cnn",
    "keyword_gru",
    "keyword_lstm",
)
# Native code of one small network takes seconds to compile, and those here are the only ones over time.
COMPILED = FULL if os.environ.get("SELVEDGE_FULL") == "1" else ("har_fcn?width=0.0625", *OVER_TIME)


@pytest.mark.parametrize(("spec", "batch"), NARROW)
def test_interpreted_gradients_are_autograds(spec: str, batch: int) -> None:
    model, example, loss = oracle.zoo_model(spec)
    captured = capture(model, example.repeat(batch, *(1,) * (example.dim() - 1)))
    for seed in range(4):
        x, y = oracle.batch_of(example, loss, batch, 2, seed, oracle.positions_of(model, example))
        assert y is not None
        found = parameter_gradients(captured, x, y.numpy().astype(np.int32), loss)
        expected = reference(model, x, y)
        assert found.keys() == expected.gradients.keys()
        wrong = disagreements(found, expected)
        if not wrong:
            return
        # Another batch is asked only where float32 cannot decide an activation of this one.
        assert seed < 3, wrong
        assert oracle.undecided(model, x), wrong


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("spec", COMPILED)
def test_native_gradients_are_autograds(spec: str, batch: int) -> None:
    oracle.assert_native_gradients(spec, batch)


@pytest.mark.parametrize("spec", COMPILED)
def test_measured_is_predicted(spec: str) -> None:
    model, example, loss = oracle.zoo_model(spec)
    assert_measured_is_predicted(sv.plan(model, example, loss=loss, device=oracle.WIDE))


def test_the_predicted_macs_are_those_of_the_layers() -> None:
    """The planner counts what published tables count."""
    for spec in ("har_fcn", "audio_m5", "keyword_gru", "keyword_lstm"):
        model, example, loss = oracle.zoo_model(spec)
        plan = sv.plan(model, example, loss=loss, device=oracle.WIDE)
        assert plan.arrangement.programs["predict"].macs == macs(model, example), spec
