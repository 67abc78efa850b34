"""A model that is looked at, and left as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def still(model: nn.Module) -> Iterator[None]:
    """``model`` in evaluation mode and without gradients; every module's mode is as it was behind."""
    modes = [(m, m.training) for m in model.modules()]
    training = any(was for _, was in modes)
    if training:
        model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        if training:
            if modes[0][1]:
                model.train()  # it may do more than set flags, as QAT's does
            for module, was in modes:
                module.training = was
