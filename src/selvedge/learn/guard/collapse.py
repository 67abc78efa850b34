"""What learns without labels and says the same of everything."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput

Array = npt.NDArray[Any]


class Collapse:
    """The entropy of the *mean* prediction against that of a reference on the same samples: what predicted before.

    To minimise the entropy of each prediction is done perfectly by one class for all of them; then the mean has no
    entropy either. That of a stream of one class has none, too, which is why the reference sees the same samples.
    Both means are averaged over the last ``window`` samples or so; it has collapsed where exp(entropy), the number of
    classes in use (Hill, *Diversity and evenness*, 1973), is below ``share`` of the reference's.

    The state is two means in float64 and a count: ``bytes`` bytes.
    """

    def __init__(self, classes: int, *, share: float = 0.7, window: int = 64) -> None:
        """Raises ``InvalidInput`` for fewer than 2 classes, a share outside of 0..1, a window below 8."""
        for name, value, least in (("classes", classes, 2), ("window", window, 8)):
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise InvalidInput(name, value, f"give a whole number >= {least}")
        if not (math.isfinite(share) and 0 < share < 1):
            raise InvalidInput("share", share, "give one above 0 and below 1, as 0.7")
        self.classes, self.share, self.window = classes, share, window
        self._means, self._count = np.zeros((2, classes)), np.zeros(1, np.int64)

    def update(self, ours: Array, reference: Array) -> bool:
        """Logits [n, classes] of the same samples, of what learns and of the reference; whether it has collapsed."""
        for z, w in zip(probabilities(ours), probabilities(reference), strict=True):
            count = min(int(self._count[0]) + 1, self.window)
            self._means += (np.stack([z, w]) - self._means) / count
            self._count[0] = count
        own, other = self.in_use
        return int(self._count[0]) >= self.window // 2 and own < self.share * other

    @property
    def in_use(self) -> tuple[float, float]:
        """exp(entropy) of the mean predictions, 1..classes: of what learns, and of the reference."""
        return float(np.exp(entropies(self._means[0]))), float(np.exp(entropies(self._means[1])))

    def restart(self) -> None:
        """As new."""
        self._means[:], self._count[:] = 0, 0

    @property
    def bytes(self) -> int:
        return self._means.nbytes + self._count.nbytes

    def state_dict(self) -> dict[str, npt.NDArray[Any]]:
        return {"means": self._means.copy(), "count": self._count.copy()}

    def load_state_dict(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Raises ``InvalidInput``, and changes nothing, for anything but what :meth:`state_dict` gives."""
        means, count = state.get("means"), state.get("count")
        sound = means is not None and means.shape == self._means.shape and np.isfinite(means).all() and means.min() >= 0
        if not sound or count is None or count.shape != (1,) or not 0 <= int(count[0]) <= self.window:
            raise InvalidInput("collapse", f"of names {sorted(state)}", "give what state_dict() gave")
        self._means[:], self._count[:] = means, count


def probabilities(logits: Array) -> Array:
    """[n, classes], float64."""
    z = logits.astype(np.float64)
    p = np.exp(z - z.max(-1, keepdims=True))
    return np.asarray(p / p.sum(-1, keepdims=True))


def entropies(p: Array) -> Array:
    """In nats, of probabilities [..., classes]."""
    return np.asarray(-(p * np.log(np.maximum(p, 1e-300))).sum(-1))
