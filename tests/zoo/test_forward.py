"""The networks compute what their reference implementations compute from the same state."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch

from tests import oracle
from tests.zoo import reference_forward as reference

MOBILENET = partial(reference.timm, strides=(1, 2, 2, 2, 2), lite=False, tensorflow=False)
LITE = partial(reference.timm, strides=(1, 2, 2, 2, 1, 2, 1), lite=True, tensorflow=False)

Forward = Callable[[reference.Tensors, torch.Tensor], torch.Tensor]


@pytest.mark.parametrize(
    ("spec", "forward"),
    [
        ("mobilenet_v3_small?resolution=64", partial(reference.mobilenet_v3, large=False)),
        ("mobilenet_v3_large?resolution=64", partial(reference.mobilenet_v3, large=True)),
        ("efficientnet_b0?resolution=64", reference.efficientnet_b0),
        ("mobilenet_v1?resolution=64", MOBILENET),
        ("efficientnet_lite0?resolution=64", LITE),
        ("efficientnet_lite2?resolution=65&padding=same", partial(LITE, tensorflow=True)),
        ("shufflenet_v2_x0_5?resolution=64", reference.shufflenet_v2),
        ("resnet18?resolution=64", reference.resnet18),
    ],
)
def test_what_is_computed_is_the_references(spec: str, forward: Forward) -> None:
    """In double, with norms that have seen something: an error in one place moves every logit."""
    model, example, _ = oracle.zoo_model(spec)
    model, x = model.double(), example.double()
    with torch.no_grad():
        found, expected = model(x), forward(model.state_dict(), x)
    assert expected.std() > 1e-6
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12 + 1e-9 * float(expected.std()))
