"""What a batch is made of: new samples, earlier ones, and those of the anchor."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..artifact.preprocess import Preprocess
from .augment.piece import Piece
from .draws import Draws
from .guard.anchor import Anchor

Array = npt.NDArray[Any]


class Memory(Protocol):
    """Earlier samples, as :class:`selvedge.Replay` keeps them."""

    @property
    def bytes(self) -> int: ...

    @property
    def sample_shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype[Any]: ...

    def __len__(self) -> int: ...

    def add(self, x: Array, label: int, /) -> None: ...

    def sample(self, n: int, /) -> tuple[Array, Array]: ...

    def all(self) -> tuple[Array, Array]: ...

    def state_dict(self) -> dict[str, Array]: ...

    def load_state_dict(self, state: dict[str, Array], /) -> None: ...


class Lessons:
    """Batches: every place of one is drawn by ``shares`` - new, remembered, the anchor's - of what there is."""

    def __init__(
        self,
        shares: tuple[float, float, float],
        memory: Memory,
        anchor: Anchor | None,
        augment: Piece | None,
        draws: Draws,
        preprocess: Preprocess | None = None,
    ) -> None:
        """preprocess: what makes an anchor of bytes, as it lies in flash, into numbers like those that come."""
        self.shares, self.memory, self.anchor, self.augment, self.draws = shares, memory, anchor, augment, draws
        self.preprocess = preprocess
        self._known: dict[tuple[bool, ...], Array] = {}

    def batch(self, size: int, x: Array, y: Array, remembered: bool = True) -> tuple[Array, Array]:
        """``size`` samples and labels, of the new ones ``x``, ``y`` and of the others. remembered: the memory's too."""
        held = len(self.memory) if remembered else 0
        new, old, shipped = self._drawn((len(x), held, 0 if self.anchor is None else self.anchor.teaching), size)
        rows = self.draws.below(len(x), new)
        parts = [(x[rows], y[rows])]
        while old:
            parts.append(self.memory.sample(min(old, held)))
            old -= min(old, held)
        if shipped and self.anchor is not None:
            taught, told = self.anchor.lesson(self.draws.below(self.anchor.teaching, shipped))
            if taught.dtype != x.dtype and self.preprocess is not None:
                taught = self.preprocess(taught, x.dtype.name)
            parts.append((taught, np.zeros(shipped, np.int32) if told is None else told.astype(np.int32)))
        xs, ys = (np.concatenate(part) for part in zip(*parts, strict=True))
        return xs if self.augment is None else self.augment(xs, self.draws), ys

    def order(self, n: int) -> Array:
        """0..n-1 in a random order."""
        return np.asarray(np.argsort(self.draws.words(n), kind="stable"))

    def _drawn(self, there: tuple[int, ...], size: int) -> list[int]:
        """How many places each source has; at least one of them is not empty."""
        ends = self._ends(tuple(map(bool, there)))
        which = ends.searchsorted(self.draws.uniform(size), side="right")
        return np.bincount(np.minimum(which, len(ends) - 1), minlength=len(ends)).tolist()  # type: ignore[no-any-return]

    def _ends(self, there: tuple[bool, ...]) -> Array:
        """Where each source's part of 0..1 ends, of those that have something: for each set of them worked out once."""
        if there not in self._known:
            open_to = [share if some else 0.0 for share, some in zip(self.shares, there, strict=True)]
            if not sum(open_to):
                open_to = [float(some) for some in there]
            self._known[there] = np.cumsum(open_to) / sum(open_to)
        return self._known[there]
