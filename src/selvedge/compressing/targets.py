"""Samples with targets, and the loss that compares them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from ..data import Dataset
from ..errors import InvalidInput, one_line

BATCH = 32
IGNORED = -100  # the target that torch.nn.functional.cross_entropy leaves out
Batch = tuple[Any, torch.Tensor]  # what the model takes, a tensor or a tuple of them, and the targets [n, ...]
Loss = Callable[[nn.Module, Any, torch.Tensor], torch.Tensor]


def batches(data: Any) -> list[Batch]:
    """``data`` as batches: (x, y) of tensors or arrays, a :class:`selvedge.data.Dataset`, of which the training part is
    taken, or batches of (x, y). ``x`` of several inputs is a tuple. Raises :class:`InvalidInput`."""
    if isinstance(data, Dataset):
        part = data.part("train")
        x, y = part.take(np.arange(len(part)))
        data = (np.asarray(x if data.preprocess is None else data.preprocess(np.asarray(x))), np.asarray(y))
    whole = isinstance(data, tuple) and len(data) == 2 and _array(data[1])
    if not whole and (data is None or isinstance(data, str | bytes | dict) or not isinstance(data, Iterable)):
        raise InvalidInput("data", f"of type {type(data).__name__}", "give (x, y), or batches of (x, y)")
    made = [b for piece in ([data] if whole else data) for b in _split(*_pair(piece))]
    if not made:
        raise InvalidInput("data", "without samples", "give samples that the model will meet, with their targets")
    return made


def single(batch: Batch) -> Iterator[Batch]:
    """Its samples one by one."""
    x, y = batch
    for i in range(len(y)):
        yield (tuple(t[i : i + 1] for t in x) if isinstance(x, tuple) else x[i : i + 1]), y[i : i + 1]


def cross_entropy(model: nn.Module, x: Any, y: torch.Tensor) -> torch.Tensor:
    """Of logits [N, C, ...] and class numbers [N, ...]: the loss where none is given."""
    if y.dtype.is_floating_point:
        raise InvalidInput("loss", "not given", "targets are no class numbers: give loss(model, x, y) -> a scalar")
    parts = x if isinstance(x, tuple) else (x,)
    try:
        logits = model(*parts)
    except Exception as error:
        shapes = ", ".join(str(["N", *p.shape[1:]]).replace("'", "") for p in parts)
        text = one_line((str(error).strip() or type(error).__name__).splitlines()[0])
        raise InvalidInput("data", f"of shape {shapes}", f"the model fails on it: {text}") from error
    if not isinstance(logits, torch.Tensor) or logits.dim() < 2:
        said = list(logits.shape) if isinstance(logits, torch.Tensor) else f"a {type(logits).__name__}"
        raise InvalidInput(
            "loss", "not given", f"the model gives {said}, no logits: give loss(model, x, y) -> a scalar"
        )
    wanted = [logits.shape[0], *logits.shape[2:]]
    if list(y.shape) != wanted:
        raise InvalidInput("data", f"with targets {list(y.shape)}", f"give class numbers {wanted}, or loss=")
    outside = y[((y < 0) | (y >= logits.shape[1])) & (y != IGNORED)]
    if len(outside):
        raise InvalidInput("data", f"with target {int(outside[0])}", f"give classes of 0 to {logits.shape[1] - 1}")
    return nn.functional.cross_entropy(logits, y.long())


def _pair(piece: Any) -> Batch:
    if not isinstance(piece, tuple | list) or len(piece) != 2 or not _array(piece[1]):
        raise InvalidInput("data", f"with a batch of type {type(piece).__name__}", "give pairs (x, y)")
    x, y = piece
    several = isinstance(x, tuple | list)
    parts = tuple(_tensor(p) for p in (x if several else (x,)))
    targets = torch.as_tensor(y)
    if any(len(p) != len(targets) for p in parts):
        raise InvalidInput("data", f"of {len(parts[0])} samples and {len(targets)} targets", "give one target a sample")
    for part in parts:
        if part.dtype.is_floating_point and not bool(torch.isfinite(part).all()):
            raise InvalidInput("data", "not finite", "remove NaN and infinity")
    return (parts if several else parts[0]), targets


def _split(x: Any, y: torch.Tensor) -> Iterator[Batch]:
    for i in range(0, len(y), BATCH):
        rows = slice(i, i + BATCH)
        yield (tuple(t[rows] for t in x) if isinstance(x, tuple) else x[rows]), y[rows]


def _tensor(value: Any) -> torch.Tensor:
    if not _array(value) or not np.ndim(value):
        raise InvalidInput("data", f"with a batch of type {type(value).__name__}", "give tensors [n, ...]")
    made = torch.as_tensor(value)
    return made.float() if made.dtype in (torch.float64, torch.float16, torch.uint8) else made


def _array(value: object) -> bool:
    return isinstance(value, torch.Tensor | np.ndarray)
