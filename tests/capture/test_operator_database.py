"""Every operator that PyTorch has samples for: captured with its value and gradients, or refused in one line."""

from __future__ import annotations

import os
from collections import Counter

import numpy as np
import pytest
import torch

from selvedge.errors import SelvedgeError

from .database import compare, operators, samples

BLOCKS = 8
MOST = None if os.environ.get("SELVEDGE_FULL") else 2  # samples of an operator; `make prove` takes them all
UNKNOWN = "write it with supported operations"


@pytest.mark.parametrize("block", range(BLOCKS))
def test_values_and_gradients_are_pytorchs(block: int) -> None:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    count: Counter[str] = Counter()
    for operator in operators()[block::BLOCKS]:
        for i, model in enumerate(samples(operator, MOST)):
            name = f"{operator.name} {operator.variant_test_name} sample {i}".replace("  ", " ")
            try:
                compare(model, rng)
                count["agree"] += 1
            except SelvedgeError as error:
                count["refused" if "\n" not in str(error) else f"many lines: {name}"] += 1
                if UNKNOWN in str(error) and i >= 1:
                    break  # its other samples reach the same unknown operator
            except Exception as error:
                raise AssertionError(f"{name}: {type(error).__name__}: {error}") from error
    print(dict(count))
    assert set(count) == {"agree", "refused"}
    assert count["agree"] > 15
