"""No disagreement between the captured gradients and PyTorch's on models nobody wrote."""

from __future__ import annotations

import os

import numpy as np
from hypothesis import HealthCheck, given, settings

from selvedge.capture import capture

from ..models import RandomModel, disagreements, random_models, reference
from .parity import parameter_gradients, predict

EXAMPLES = int(os.environ.get("SELVEDGE_EXAMPLES", "30"))


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(random_models())
def test_gradients_of_random_models_are_pytorchs(case: RandomModel) -> None:
    captured = capture(case.model, case.x)
    got = predict(captured, case.x)["output"]
    expected = case.model(case.x).detach().numpy()
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-4 * (1 + np.abs(expected).max()))
    found = parameter_gradients(captured, case.x, case.y.numpy().astype(np.int32))
    assert not disagreements(found, reference(case.model, case.x, case.y))
