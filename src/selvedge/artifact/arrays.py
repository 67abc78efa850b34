"""What a user gives as numbers: arrays of a given shape and dtype, or one line why not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import InvalidInput


def seen(field: str, value: Any) -> np.ndarray:
    """``value`` (a torch tensor too) as an array."""
    try:
        return np.asarray(value.detach() if hasattr(value, "detach") else value)
    except (TypeError, ValueError, RuntimeError) as error:  # ragged lists, tensors that numpy cannot see
        raise InvalidInput(field, type(value).__name__, f"give an array of numbers ({error})") from None


def as_array(field: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    """``value`` (a torch tensor too) as an array of ``shape``."""
    array = seen(field, value)
    if array.shape != tuple(shape):
        raise InvalidInput(field, f"of shape {array.shape}", f"the plan was made for {tuple(shape)}")
    return array


def finite(field: str, array: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """``array`` in ``dtype``, where every number of it is finite and, for an integer ``dtype``, kept as it is."""
    with np.errstate(over="ignore", invalid="ignore"):
        cast = array.astype(dtype, copy=False)
    whole = np.isfinite(array).all() and np.isfinite(cast).all()
    if dtype == np.uint16 and whole:  # of state, bfloat16
        whole = bool(((cast & 0x7F80) != 0x7F80).all())
    if not whole:
        raise InvalidInput(field, "not finite", f"it holds NaN, Inf or more than {dtype} can; give finite numbers")
    if dtype.kind in "iub" and not np.array_equal(cast, array):
        raise InvalidInput(field, "not whole", f"it holds what {dtype} cannot; give whole numbers in its range")
    return cast


def numbers(field: str, value: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray:
    """``value`` as finite numbers of ``shape`` and ``dtype``."""
    array = as_array(field, value, shape)
    if array.dtype.kind not in ("fiubc" if dtype.kind == "c" else "fiub"):
        raise InvalidInput(field, f"of dtype {array.dtype}", f"give {dtype}")
    return finite(field, array, dtype)


def state_dict(
    given: object, own: Mapping[str, tuple[tuple[int, ...], np.dtype[Any]]], aliases: Mapping[str, str]
) -> dict[str, np.ndarray]:
    """``given`` as the arrays of a PyTorch ``state_dict()``.

    own: every name of it -> shape and dtype. aliases: another name of a shared array -> its name.

    Raises :class:`InvalidInput` for the first entry that is missing, extra, mis-shaped, not numbers, not finite, or
    unlike what it is shared with, and for a variance below 0.
    """
    if not isinstance(given, Mapping):
        raise InvalidInput("state dict", f"of type {type(given).__name__}", "give model.state_dict()")
    for name in own:
        if name not in given:
            raise InvalidInput("state dict", f"without {name}", "give every entry of the model's state_dict()")
    for name in given:
        if name not in own:
            raise InvalidInput("state dict", f"with {name}", "this model has no such entry; take it out")
    arrays = {name: numbers(f"state {name}", given[name], shape, dtype) for name, (shape, dtype) in own.items()}
    for alias, name in aliases.items():
        if not np.array_equal(arrays[alias], arrays[name]):
            raise InvalidInput(f"state {alias}", f"different from {name}", "the model shares them; give one array")
    require_variances(arrays)
    return arrays


def require_variances(state: Mapping[str, np.ndarray]) -> None:
    """Raise :class:`InvalidInput` where a batch norm's ``running_var`` is below 0."""
    for name, array in state.items():
        if name.rpartition(".")[2] == "running_var" and (array < 0).any():
            raise InvalidInput(f"state {name}", f"{array.min():.3g} in a channel", "a variance is at least 0")
