"""Models nobody wrote, in native code: PyTorch's gradients, in exactly the arena that was promised."""

from __future__ import annotations

import os

import hypothesis.strategies as st
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings

import selvedge as sv
from tests.models import RandomModel, disagreements, random_models, reference
from tests.oracle import native_gradients

LOSSES = {"cross_entropy": F.cross_entropy, "mse": F.mse_loss}
EXAMPLES = int(os.environ.get("SELVEDGE_EXAMPLES", "30"))


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(random_models(), st.sampled_from([0, 16, 32, 64]), st.sampled_from(["cross_entropy", "mse"]))
def test_random_models_learn_as_in_pytorch_within_their_arena(case: RandomModel, vector_bytes: int, loss: str) -> None:
    device = sv.Device(name="any", ram="1GiB", flash="1GiB", vector_bytes=vector_bytes)
    y = case.y if loss == "cross_entropy" else F.one_hot(case.y, 3).float()
    plan = sv.plan(case.model, case.x, loss=loss, device=device, optimizer=sv.SGD(lr=0.1, momentum=0.9))
    gradients = native_gradients(sv.compile(plan), case.x, y)
    names = set(plan.updated) | {a for a, n in plan.captured.aliases.items() if n in plan.updated}
    assert not disagreements(gradients, reference(case.model, case.x, y, LOSSES[loss])), names
    found = sv.measured(plan)
    assert found.faults == ()
    assert found.arena == plan.arena_bytes
    for name, program in plan.arrangement.programs.items():
        assert found.transient[name] == program.transient_bytes
