"""Calibration data: what a user gives -> batches of the model's inputs, or one line why they cannot be used."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch

from ..data import Dataset
from ..errors import InvalidInput
from .export import Inputs

LEAST = 32  # samples: fewer say little of the ends of a range
BATCH = 64


def batches(data: Any, field: str = "calibration") -> list[Inputs]:
    """``data`` as batches of inputs, float32 [n, ...] each.

    data: samples [N, ...] as a tensor or array; (x, y) of arrays, whose targets are not looked at; a
    :class:`selvedge.data.Dataset`, of which the training part is taken; or batches: a list (or another iterable) of
    tensors, or of tuples of them for a model with several inputs. Raises :class:`InvalidInput`.
    """
    made = [_inputs(b, field) for b in _pieces(data, field)]
    made = [b for b in made if len(b[0])]
    if not made:
        raise InvalidInput(field, "without samples", f"give at least {LEAST} samples that the model will meet")
    for batch in made:
        for x in batch:
            if x.dtype.is_floating_point and not bool(torch.isfinite(x).all()):
                bad = int((~torch.isfinite(x)).reshape(len(x), -1).any(1).sum())
                raise InvalidInput(field, f"not finite in {bad} of {len(x)} samples", "remove NaN and infinity")
    return made


def count(made: list[Inputs]) -> int:
    """Samples in all."""
    return sum(len(b[0]) for b in made)


def check(made: list[Inputs], allow_few: bool) -> None:
    """Refuse fewer than :data:`LEAST` samples, and samples that are all the same."""
    samples = count(made)
    if samples < LEAST and not allow_few:
        fix = f"give at least {LEAST}, or say allow_few=True"
        raise InvalidInput("calibration", f"of {samples} samples", fix)
    first = made[0][0][:1]
    if samples > 1 and all(bool((x[0] == first).all()) for x in made):
        raise InvalidInput("calibration", f"of {samples} equal samples", "give samples that differ")
    if all(bool((x == x.reshape(-1)[0]).all()) for batch in made for x in batch[:1]):
        value = float(first.reshape(-1)[0])
        raise InvalidInput("calibration", f"constant at {value:g}", "give samples that the model will meet")


def _pieces(data: Any, field: str) -> Iterable[Any]:
    if isinstance(data, Dataset):
        part = data.part("train")
        x = np.asarray(part.take(np.arange(len(part)))[0])
        return _split(torch.from_numpy(x if data.preprocess is None else data.preprocess(x)))
    if isinstance(data, torch.Tensor | np.ndarray):
        return _split(torch.as_tensor(data))
    if isinstance(data, tuple) and len(data) == 2 and _is_array(data[0]) and (data[1] is None or _is_array(data[1])):
        return _split(torch.as_tensor(data[0]))
    if data is None or isinstance(data, str | bytes | dict) or not isinstance(data, Iterable):
        raise InvalidInput(field, f"of type {type(data).__name__}", "give samples [N, ...], (x, y), or batches")
    return data


def _split(x: torch.Tensor) -> list[torch.Tensor]:
    return [x[i : i + BATCH] for i in range(0, len(x), BATCH)] if x.dim() else []


def _is_array(value: object) -> bool:
    return isinstance(value, torch.Tensor | np.ndarray)


def _inputs(batch: Any, field: str) -> Inputs:
    parts = batch if isinstance(batch, tuple | list) else (batch,)
    if not parts or not all(_is_array(p) and len(np.shape(p)) for p in parts):
        kind = type(batch).__name__
        raise InvalidInput(field, f"with a batch of type {kind}", "give tensors [n, ...], or tuples of them")
    return converted(tuple(torch.as_tensor(p) for p in parts))


def converted(inputs: Inputs) -> Inputs:
    """float64, float16 and bytes as float32; other types as they are."""
    return tuple(t.float() if t.dtype in (torch.float64, torch.float16, torch.uint8) else t for t in inputs)
