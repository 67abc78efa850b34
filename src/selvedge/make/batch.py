"""An example at another number of samples."""

from __future__ import annotations

import torch

from ..errors import InvalidInput


def rows(example: tuple[torch.Tensor, ...]) -> int:
    """Samples in ``example``: the first axis of its first tensor."""
    return example[0].shape[0] if example[0].ndim else 1


def batched(example: tuple[torch.Tensor, ...], batch: int) -> tuple[torch.Tensor, ...]:
    """The shapes and dtypes of ``example`` at ``batch`` samples; the values, which no plan depends on, are arbitrary.

    Raises ``InvalidInput`` for a batch below 1, tensors without a batch axis, and more than memory can hold.
    """
    if batch < 1:
        raise InvalidInput("batch", batch, "give a whole number >= 1")
    now = rows(example)
    for i, x in enumerate(example):
        if x.shape[:1] != (now,):
            fix = f"a batch needs {now} samples on its first axis"
            raise InvalidInput(f"example {i}", f"of shape {tuple(x.shape)}", fix)
    try:
        return tuple(x.new_empty((batch, *x.shape[1:])) for x in example)
    except (RuntimeError, TypeError):
        raise InvalidInput("batch", batch, "no memory holds such an input: give fewer samples") from None


def divided(example: tuple[torch.Tensor, ...], accumulate: int) -> tuple[torch.Tensor, ...]:
    """The example of one of ``accumulate`` micro-batches. Raises ``InvalidInput`` for a batch that is no multiple."""
    if accumulate == 1:
        return example
    batch = rows(example)
    if batch % accumulate:
        fix = f"the batch of {batch} must be a multiple of it: its micro-batches are of one size"
        raise InvalidInput("accumulate", accumulate, fix)
    return batched(example, batch // accumulate)
