"""What a caller gives a session, checked, converted and laid out before a byte of the arena is touched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..artifact.arrays import as_array, finite, seen
from ..artifact.manifest import Port
from ..artifact.preprocess import Preprocess
from ..errors import InvalidInput

IGNORED = -100  # the label of what does not count; PyTorch's ignore_index


def laid_out(
    name: str, value: Any, port: Port, classes: int, preprocess: Preprocess | None, probabilities: bool = False
) -> np.ndarray:
    """``value`` for the input ``name`` in the stored layout and dtype of ``port``.

    classes: of the labels "y"; 0 for any other input. preprocess: for raw uint8 where the plan wants floats.
    probabilities: it must lie in 0..1. Raises :class:`InvalidInput` for a wrong shape or dtype, numbers out of range,
    NaN and Inf.
    """
    field = f"input {name}"
    array = as_array(field, value, port.layout.face if port.layout else port.shape)
    wanted = np.dtype(port.dtype)
    if wanted.kind == "f":
        if array.dtype == np.uint8 and preprocess is not None:
            array = preprocess(array, port.dtype)
        elif array.dtype.kind != "f":
            raise InvalidInput(field, f"of dtype {array.dtype}", f"give {port.dtype}")
        array = finite(field, array, wanted)
        if probabilities and array.size and (array.min() < 0 or array.max() > 1):
            raise InvalidInput(field, _range(array), "targets of this loss are probabilities: they must lie in 0..1")
    elif name == "y":
        array = _labels(field, array, classes).astype(wanted)
    elif wanted.kind == "b":
        if array.dtype.kind != "b":
            raise InvalidInput(field, f"of dtype {array.dtype}", "give bool")
    else:
        array = _whole(field, array, wanted)
    return np.asarray(port.layout.store(array) if port.layout else array)


def divided(field: str, value: Any, inputs: int, parts: int) -> list[Any]:
    """``value`` - an array, or a tuple of them for several ``inputs`` - as ``parts`` equal pieces of its first axis; of
    None, as many Nones. Raises :class:`InvalidInput` where it cannot be divided so."""
    if value is None:
        return [None] * parts
    several = inputs > 1 and isinstance(value, tuple)
    arrays = [seen(field, v) for v in (value if several else (value,))]
    for array in arrays:
        if not array.ndim or not len(array) or len(array) % parts:
            fix = f"a step takes {parts} micro-batches: give as many samples to each"
            raise InvalidInput(f"input {field}", f"of shape {array.shape}", fix)
    pieces = [np.split(array, parts) for array in arrays]
    return list(zip(*pieces, strict=True)) if several else pieces[0]


def _labels(field: str, array: np.ndarray, classes: int) -> np.ndarray:
    if array.dtype.kind not in "iu":
        raise InvalidInput(field, f"of dtype {array.dtype}", "labels must be integers")
    known = array[array != IGNORED] if array.dtype.kind == "i" else array
    if classes and array.size and not known.size:
        raise InvalidInput(field, f"only {IGNORED}", "no label counts: give at least one that does")
    if classes and known.size and (known.min() < 0 or known.max() >= classes):
        raise InvalidInput(field, _range(known), f"labels must lie in 0..{classes - 1}, or be {IGNORED}: not counted")
    return array


def _whole(field: str, array: np.ndarray, wanted: np.dtype[Any]) -> np.ndarray:
    """``array`` as integers of ``wanted``, where none of them is changed by that."""
    if array.dtype.kind not in "iu":
        raise InvalidInput(field, f"of dtype {array.dtype}", f"give {wanted}")
    least, most = np.iinfo(wanted).min, np.iinfo(wanted).max
    if array.size and (array.min() < least or array.max() > most):
        raise InvalidInput(field, _range(array), f"{wanted} holds {least}..{most}")
    return array.astype(wanted, copy=False)


def _range(array: np.ndarray) -> str:
    low, high = array.min(), array.max()
    return f"{low}..{high}" if low < high else str(low)


def mapping(field: str, value: object, fix: str) -> None:
    """Raise unless ``value`` is a mapping."""
    if not isinstance(value, Mapping):
        raise InvalidInput(field, f"of type {type(value).__name__}", fix)
