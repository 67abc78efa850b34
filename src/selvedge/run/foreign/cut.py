"""A plan that was cut in two, run: what is frozen by another runtime, what learns in our own code. No torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InvalidInput
from ..artifact import load
from ..learning import Learning

FROZEN, TAIL = "frozen", "tail"
PAIR = "cut.json"  # of both, beside them


class CutSession:
    """The two parts as one: what predicts is given first, by whatever runtime, and what learns goes on from there."""

    def __init__(self, frozen: Learning, tail: Learning) -> None:
        """frozen: a session of ``Cut.frozen``, as ``sv.load`` gives it of what was emitted for ExecuTorch. tail: one of
        ``Cut.tail``, as ``sv.compile`` gives it."""
        self.frozen, self.tail = frozen, tail

    def latent(self, x: Any) -> Any:
        """What crosses. It does not change while the tail learns: a replay may keep it in place of the sample."""
        return self.frozen.predict(x)

    def predict(self, x: Any) -> Any:
        """See :meth:`Session.predict <selvedge.run.learning.Learning.predict>`."""
        return self.tail.predict(self.latent(x))

    def evaluate(self, x: Any, y: Any) -> tuple[float, Any]:
        """See :meth:`Session.evaluate <selvedge.run.learning.Learning.evaluate>`."""
        return self.tail.evaluate(self.latent(x), y)

    def step(self, x: Any, y: Any, lr: float | None = None) -> float:
        """See :meth:`Session.step <selvedge.run.learning.Learning.step>`."""
        return self.tail.step(self.latent(x), y, lr)

    def state_dict(self) -> dict[str, np.ndarray]:
        """Of what learns, and of the frozen arrays that the tail reads; the others are the model's."""
        return self.tail.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Of the same names as :meth:`state_dict` has."""
        self.tail.load_state_dict(state)


def load_cut(folder: object) -> CutSession:
    """What :func:`selvedge.emit_cut` has written, both parts checked against their manifests, as one session.

    Raises :class:`InvalidInput` for another folder, and as :func:`selvedge.load`.
    """
    if not isinstance(folder, str | PathLike):
        raise InvalidInput("folder", f"of type {type(folder).__name__}", "give one that selvedge.emit_cut has written")
    place = Path(folder)
    for part in (FROZEN, TAIL):
        if not (place / part / "manifest.json").is_file():
            raise InvalidInput("folder", str(place), f"it holds no {part} part: give one that emit_cut has written")
    try:
        pair = json.loads((place / PAIR).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise InvalidInput("folder", str(place), f"its {PAIR} is missing or damaged: emit it again") from None
    if pair != paired(place):
        raise InvalidInput("folder", str(place), "its two parts are not of one cut: emit it again")
    return CutSession(load(place / FROZEN), load(place / TAIL))


def paired(folder: Path) -> dict[str, str]:
    """Which parts belong to each other: the hash of each one's manifest, which has those of its files. Two cuts at
    latents of one shape would run as one, and predict nothing that anybody has trained."""
    return {part: hashlib.sha256((folder / part / "manifest.json").read_bytes()).hexdigest() for part in (FROZEN, TAIL)}
