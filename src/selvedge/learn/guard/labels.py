"""Labels that are probably wrong: not learnt from."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput
from ..given import fitting

Array = npt.NDArray[Any]
NEIGHBOURS = 10
FEWEST = 40  # samples remembered, before which nothing is doubted


class LabelGuard:
    """Two witnesses say which classes a sample may be of, and are believed as far as they have been right of late.

    The *model* says its probabilities; the *neighbours* are the labels of those ``NEIGHBOURS`` earlier samples whose
    outputs are most alike (Bahri, Jiang & Gupta, *Deep k-NN for noisy labels*, 2020): where the world has changed the
    model may be wrong of all, and samples that are alike still have labels that are alike. How often a witness agrees
    with the labels that come, above what chance would, squared, is its weight. A label is doubted whose share is below
    ``doubt`` of the largest: against the other classes, not against a fixed probability, as in *confident learning*
    (Northcutt, Jiang & Chuang, JAIR 2021).

    What it cannot see: labels that are wrong by a rule, as two classes that have changed names. They are alike where
    samples are; an anchor holds what they would spoil.

    Its state is the last ``window`` outputs, float16, their labels and who of the two agreed: ``bytes`` bytes. Doubted
    samples are remembered with the others, else one who had begun to doubt could not be convinced.
    """

    def __init__(self, classes: int, *, window: int = 256, doubt: float = 0.25) -> None:
        """Raises ``InvalidInput`` for fewer than 2 classes, a window below 64 and a doubt outside of 0..1."""
        for name, value, least in (("classes", classes, 2), ("window", window, 64)):
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise InvalidInput(name, value, f"give a whole number >= {least}")
        if not (math.isfinite(doubt) and 0 < doubt < 1):
            raise InvalidInput("doubt", doubt, "give a share above 0 and below 1, as 0.25")
        self.classes, self.doubt = classes, doubt
        self._state: dict[str, npt.NDArray[Any]] = {
            "outputs": np.zeros((window, classes), np.float16),
            "labels": np.zeros(window, np.int16),
            "agreed": np.zeros((window, 2), np.bool_),
            "counts": np.zeros(2, np.int64),  # samples seen, and doubted
        }

    @property
    def bytes(self) -> int:
        return sum(array.nbytes for array in self._state.values())

    @property
    def doubted(self) -> int:
        """Labels, until now."""
        return int(self._state["counts"][1])

    @property
    def agreement(self) -> tuple[float, float]:
        """How often, of the samples remembered, the label was the likeliest class to the model, and to the
        neighbours."""
        held = self._state["agreed"][: len(self)]
        return (float(held[:, 0].mean()), float(held[:, 1].mean())) if len(held) else (0.0, 0.0)

    def __len__(self) -> int:
        """Samples remembered."""
        return min(int(self._state["counts"][0]), len(self._state["labels"]))

    def sound(self, outputs: Array, labels: Array) -> npt.NDArray[np.bool_]:
        """Which of these samples - logits [n, classes], labels [n] - may be learnt from, one after the other.

        Raises ``InvalidInput``, and remembers nothing, for other shapes, logits that are not finite, and a label that
        is no class.
        """
        z, y = np.asarray(outputs), np.asarray(labels)
        if z.ndim != 2 or z.shape[1] != self.classes or z.dtype.kind != "f" or not np.isfinite(z).all():
            raise InvalidInput("outputs", f"{z.dtype}{list(z.shape)}", f"give finite logits [n, {self.classes}]")
        if y.shape != z.shape[:1] or (y.size and y.dtype.kind not in "iu"):
            raise InvalidInput("labels", f"{y.dtype}{list(y.shape)}", f"give a class for each of {len(z)} samples")
        odd = y[(y < 0) | (y >= self.classes)]
        if odd.size:
            raise InvalidInput("labels", f"{odd[0]} for one of them", f"give classes, 0..{self.classes - 1}")
        return np.array([self._one(z, int(y)) for z, y in zip(outputs, labels, strict=True)], np.bool_)

    def _one(self, output: Array, label: int) -> bool:
        z = output.astype(np.float64) - output.max()
        model = np.exp(z) / np.exp(z).sum()
        alike = self._neighbours(z)
        chance = 1 / self.classes
        trust = np.maximum(np.array(self.agreement) - chance, 0) ** 2
        share = trust[0] * model + trust[1] * alike
        doubted = len(self) >= FEWEST and trust.sum() > 0 and bool(share[label] < self.doubt * share.max())
        state, slot = self._state, int(self._state["counts"][0]) % len(self._state["labels"])
        state["outputs"][slot], state["labels"][slot] = np.maximum(z, -6e4), label
        state["agreed"][slot] = model.argmax() == label, alike.argmax() == label
        state["counts"] += np.array([1, doubted])
        return not doubted

    def _neighbours(self, z: Array) -> Array:
        """The shares of the classes among the labels of the samples most alike; half of one is every class's."""
        held = self._state["outputs"][: len(self)].astype(np.float64)
        far = ((held - z) ** 2).sum(1)
        nearest = np.argsort(far, kind="stable")[:NEIGHBOURS]
        votes = np.bincount(self._state["labels"][nearest], minlength=self.classes) + 0.5 / self.classes
        return np.asarray(votes / votes.sum())

    def state_dict(self) -> dict[str, npt.NDArray[Any]]:
        return {name: array.copy() for name, array in self._state.items()}

    def load_state_dict(self, state: dict[str, npt.NDArray[Any]]) -> None:
        """Raises ``InvalidInput``, and changes nothing, for anything but what :meth:`state_dict` gives."""
        fitting("label guard", self._state, state)
        labels, counts = state["labels"], state["counts"]
        if labels.min() < 0 or labels.max() >= self.classes or counts.min() < 0 or counts[1] > counts[0]:
            raise InvalidInput("label guard", "with a class or a count out of range", "give what state_dict() gave")
        for name, array in self._state.items():
            array[...] = state[name]
