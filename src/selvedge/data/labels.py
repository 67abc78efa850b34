"""Class names in an order that people expect, and targets as the loss takes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ..errors import InvalidInput
from .dataset import Array

TASKS = ("classes", "values", "probabilities", "none")


def ordered(names: Iterable[str]) -> tuple[str, ...]:
    """By value where all are numbers ("9" before "10"), else by alphabet."""
    listed = sorted(set(names))
    try:
        return tuple(sorted(listed, key=float))
    except ValueError:
        return tuple(listed)


def thinned(targets: Sequence[str], most: int) -> list[int]:
    """The numbers of at most ``most`` samples of each class, evenly from its first to its last."""
    members: dict[str, list[int]] = {}
    for i, label in enumerate(targets):
        members.setdefault(label, []).append(i)
    return sorted(
        m[i * len(m) // most] if len(m) > most else m[i] for m in members.values() for i in range(min(most, len(m)))
    )


def encoded(targets: Sequence[str] | Array, task: str, name: str, outputs: int | None) -> tuple[Array, tuple[str, ...]]:
    """(y, class names): int32 numbers for "classes", float32 [n, k] for "values" and "probabilities".

    outputs: of the model, where known: one output and two classes make one probability. Raises ``InvalidInput``.
    """
    given = np.asarray(targets)
    if task == "values":
        return _values(given, name), ()
    numbers = given.dtype.kind in "fiub"
    if numbers and (given.ndim > 1 or task == "probabilities") and given.dtype.kind == "f":
        return given.astype(np.float32).reshape(len(given), -1), ()
    if given.dtype.kind == "f":
        if not np.isfinite(given).all() or (given != np.round(given)).any():
            raise InvalidInput("labels", name, "they are fractions, not classes: give --loss mse to learn values")
        given = given.astype(np.int64)
    if given.ndim > 1:
        if given.dtype.kind in "iu" and given.min() >= 0:
            return given.astype(np.int32), tuple(str(i) for i in range(int(given.max()) + 1))
        raise InvalidInput("labels", f"of shape {given.shape}", "give one class a sample")
    texts = [str(v) for v in given.tolist()]
    labels = ordered(texts)
    if len(labels) < 2:
        raise InvalidInput("classes", ", ".join(labels), f"{name} has one: at least two are needed to tell apart")
    if len(labels) > max(100, len(texts) // 2):
        fix = f"{len(labels)} classes of {len(texts)} samples: name another column, or learn values with --loss mse"
        raise InvalidInput("labels", f"{labels[0]}, {labels[1]}, ...", fix)
    number = {label: i for i, label in enumerate(labels)}
    y = np.array([number[t] for t in texts], np.int32)
    if task != "probabilities":
        return y, labels
    hot = np.eye(len(labels), dtype=np.float32)[y]
    return (hot[:, 1:] if len(labels) == 2 and outputs == 1 else hot), labels


def _values(given: Array, name: str) -> Array:
    try:
        made = given.astype(np.float32).reshape(len(given), -1)
    except ValueError:
        word = next(v for v in given.ravel().tolist() if not _is_number(v))
        raise InvalidInput(
            "targets", word, f"{name}: this loss learns numbers; take the loss cross_entropy for classes"
        ) from None
    if not np.isfinite(made).all():
        row = int(np.flatnonzero(~np.isfinite(made).all(1))[0])
        raise InvalidInput("targets", f"not finite at sample {row}", "give finite numbers")
    return made


def _is_number(value: object) -> bool:
    try:
        float(str(value))
    except ValueError:
        return False
    return True
