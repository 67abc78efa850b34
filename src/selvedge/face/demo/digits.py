"""scikit-learn's handwritten digits (UCI, Alpaydin & Kaynak, 1998): 1,797 scenes of 8x8, without a download."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .camera import Camera

Indices = npt.NDArray[np.intp]
HELD_OUT, TRAIN, VALIDATION = 497, 700, 200


@dataclass(frozen=True, slots=True)
class Photos:
    """Pictures uint8 [N,1,8,8] and their labels int64 [N]."""

    codes: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True)
class Digits:
    """One seed's division: ``train`` for the workstation, ``stream`` for the device, ``held_out`` for judging.

    The held-out scenes are the same for every seed; they took part in no choice of model, camera or rate.
    """

    scenes: npt.NDArray[np.float64]
    labels: npt.NDArray[np.int64]
    train: Indices
    stream: Indices
    held_out: Indices

    def photos(self, indices: Indices, camera: Camera, seed: int = 0) -> Photos:
        """Those scenes through ``camera``, whose noise comes from ``seed``."""
        return Photos(camera(self.scenes[indices], seed)[:, None], self.labels[indices])


def load(seed: int) -> Digits:
    """Raises ``ModuleNotFoundError`` where scikit-learn is not installed."""
    from sklearn.datasets import load_digits

    found = load_digits()
    labels = found.target.astype(np.int64)
    held_out, rest = _draw(np.arange(len(labels)), labels, HELD_OUT, np.random.default_rng(2024))
    rng = np.random.default_rng(seed)
    train, rest = _draw(rest, labels, TRAIN, rng)
    _, stream = _draw(rest, labels, VALIDATION, rng)  # the rates were chosen on these, with other seeds
    return Digits(found.images, labels, train, rng.permutation(stream), held_out)


def _draw(indices: Indices, labels: npt.NDArray[np.int64], n: int, rng: np.random.Generator) -> tuple[Indices, Indices]:
    """``n`` of the indices, in proportion to the classes; and the rest."""
    key = np.empty(len(indices))
    for label in range(10):
        where = np.flatnonzero(labels[indices] == label)
        key[rng.permutation(where)] = (np.arange(len(where)) + rng.random()) / len(where)
    order = np.argsort(key)
    return indices[order[:n]], indices[order[n:]]
