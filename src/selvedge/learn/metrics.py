"""How good predictions are: the loss and, for classes, the accuracy; and what guessing without a model would reach."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..artifact.preprocess import Preprocess
from ..errors import InvalidInput
from ..run.learning import Learning

Array = npt.NDArray[Any]
CHUNK = 256  # samples whose inputs are held at once


class Samples(Protocol):
    """Samples that are taken by number: ``take(which)`` is (x [n, ...], y [n, ...] or None)."""

    def __len__(self) -> int: ...

    def take(self, which: npt.NDArray[np.intp], /) -> tuple[Array, Array | None]: ...


Pair = tuple[Array, Array] | tuple[Array, None]


@dataclass(frozen=True, slots=True)
class Arrays:
    """x [n, ...] and y [n, ...] in memory. Raises ``InvalidInput`` where they are not of one length."""

    x: Array
    y: Array | None

    def __post_init__(self) -> None:
        if self.y is not None and len(self.y) != len(self.x):
            raise InvalidInput("y", f"{len(self.y)} long", f"x has {len(self.x)} samples: give one target each")

    def __len__(self) -> int:
        return len(self.x)

    def take(self, which: npt.NDArray[np.intp], /) -> tuple[Array, Array | None]:
        return self.x[which], None if self.y is None else self.y[which]


@dataclass(frozen=True, slots=True)
class Score:
    """``loss``: the mean, without label smoothing. ``accuracy``: a fraction; None where there are no classes."""

    loss: float
    accuracy: float | None = None

    def better(self, than: Score | None) -> bool:
        """More accurate, or as accurate at a lower loss."""
        if than is None:
            return True
        if self.accuracy is None or than.accuracy is None or self.accuracy == than.accuracy:
            return self.loss < than.loss
        return self.accuracy > than.accuracy


def score(session: Learning, samples: Samples) -> Score:
    """The session as it is, over all ``samples``; the last batch is filled up and what fills it is not counted."""
    manifest = session.manifest
    return scored(str(manifest.loss), lambda x: predictions(session, x), samples, manifest.preprocess)


def scored(
    kind: str, predicted: Callable[[Array], Array], samples: Samples, preprocess: Preprocess | None = None
) -> Score:
    """Any model: ``predicted(x)`` is its output for samples x. kind: the loss's class name."""
    losses = rights = 0.0
    counted: int = 0
    total = len(samples)
    for start in range(0, total, CHUNK):
        x, y = samples.take(np.arange(start, min(start + CHUNK, total)))
        found = predicted(x)
        target = _numbers(preprocess, x) if y is None or kind == "Reconstruction" else y
        losses += float(each_loss(kind, found, target).sum())
        right = each_right(kind, found, target)
        if right is not None:
            rights += float(right.sum())
            counted += len(x)
    return Score(losses / total, rights / counted if counted else None)


def predictions(session: Learning, x: Array) -> Array:
    """The model's (first) output for every sample of ``x``, in batches of the plan's size."""
    batch = session.manifest.batch
    missing = -len(x) % batch
    filled = np.concatenate([x, np.repeat(x[-1:], missing, axis=0)]) if missing else x
    found = []
    for i in range(0, len(filled), batch):
        output = session.predict(filled[i : i + batch])
        found.append(output[0] if isinstance(output, tuple) else output)
    whole: Array = np.concatenate(found)[: len(x)]
    return whole


def dummy(kind: str, train: Samples, held_out: Samples, session: Learning) -> Score:
    """What needs no model: the most frequent class (its loss: of the classes' shares), or the mean of all targets."""
    x, y = (_targets(part, session.manifest.preprocess) for part in (train, held_out))
    if kind == "CrossEntropy":
        shares = np.bincount(x.ravel(), minlength=session.manifest.classes) / x.size
        with np.errstate(divide="ignore"):
            losses = -np.log(shares[y.ravel()])
        return Score(float(np.minimum(losses, 50.0).mean()), float((y == shares.argmax()).mean()))
    mean = x.mean(0, dtype=np.float64)
    if kind != "BCEWithLogits":
        return Score(float(((y - mean) ** 2).mean()))
    p = np.clip(mean, 1e-12, 1 - 1e-12)
    losses = -(y * np.log(p) + (1 - y) * np.log1p(-p))
    right = each_right(kind, np.broadcast_to(np.log(p / (1 - p)), y.shape), y)
    return Score(float(losses.mean()), None if right is None else float(right.mean()))


def probabilities(kind: str | None, output: Array) -> Array | None:
    """Softmax over axis 1, or sigmoids; None where the output is values."""
    if kind == "BCEWithLogits":
        return np.asarray(1 / (1 + np.exp(-output.astype(np.float64))))
    if kind != "CrossEntropy":
        return None
    shifted = np.exp(output.astype(np.float64) - output.max(1, keepdims=True))
    return np.asarray(shifted / shifted.sum(1, keepdims=True))


def each_loss(kind: str, output: Array, target: Array) -> Array:
    """The loss of each sample [n], in float64."""
    z = output.astype(np.float64)
    if kind == "CrossEntropy":
        top = z.max(1, keepdims=True)
        logs = np.log(np.exp(z - top).sum(1, keepdims=True)) + top
        own = np.take_along_axis(z, np.expand_dims(target.astype(np.intp), 1), 1)
        return np.asarray((logs - own).reshape(len(z), -1).mean(1))
    y = target.astype(np.float64).reshape(z.shape)
    if kind == "BCEWithLogits":
        each = np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z)))
    else:
        each = (z - y) ** 2
    return np.asarray(each.reshape(len(z), -1).mean(1))


def each_right(kind: str, output: Array, target: Array) -> Array | None:
    """Whether each sample is right [n], or the share of its places that is; None where there are no classes."""
    if kind == "CrossEntropy":
        return np.asarray((output.argmax(1) == target).reshape(len(output), -1).mean(1))
    if kind != "BCEWithLogits":
        return None
    flat, y = output.reshape(len(output), -1), target.reshape(len(output), -1)
    if flat.shape[1] > 1 and (y.sum(1) == 1).all():
        return np.asarray(flat.argmax(1) == y.argmax(1))
    return np.asarray(((flat > 0) == (y > 0.5)).mean(1))


def _targets(samples: Samples, preprocess: Preprocess | None) -> Array:
    parts = []
    for start in range(0, len(samples), CHUNK):
        x, y = samples.take(np.arange(start, min(start + CHUNK, len(samples))))
        parts.append(_numbers(preprocess, x) if y is None else y)
    return np.concatenate(parts)


def _numbers(preprocess: Preprocess | None, x: Array) -> Array:
    """``x`` as the model sees it: bytes through the preprocessing."""
    return preprocess(x) if preprocess is not None and x.dtype == np.uint8 else x
