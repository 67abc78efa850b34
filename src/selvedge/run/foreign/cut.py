"""A plan that was cut in two, run: what is frozen by another runtime, what learns in our own code. No torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ...artifact.preprocess import Preprocess
from ...errors import InvalidInput
from ..artifact import load
from ..learning import Learning

FROZEN, TAIL, ABOUT = "frozen", "tail", "cut.json"


class CutSession:
    """The two parts as one: what predicts is given first, by whatever runtime, and what learns goes on from there."""

    def __init__(self, frozen: Learning, tail: Learning, preprocess: Preprocess | None = None) -> None:
        """frozen: a session of ``Cut.frozen``, as ``sv.load`` gives it of what was emitted for ExecuTorch. tail: one of
        ``Cut.tail``, as ``sv.compile`` gives it. preprocess: what the whole plan makes of raw uint8."""
        self.frozen, self.tail, self._preprocess = frozen, tail, preprocess

    @property
    def steps(self) -> int:
        """Updates made so far."""
        return self.tail.steps

    def latent(self, x: Any) -> Any:
        """What crosses. It does not change while the tail learns: a replay may keep it in place of the sample."""
        return self.frozen.predict(self._real(x))

    def _real(self, x: Any) -> Any:
        """``x``, whose first input is made real numbers of where it is raw bytes."""
        if self._preprocess is None:
            return x
        parts = list(x) if len(self.frozen.manifest.programs["predict"].inputs) > 1 else [x]
        raw = np.asarray(parts[0]) if parts else None
        if raw is None or raw.dtype != np.uint8 or raw.ndim < 2:
            return x  # refused there, if it is wrong
        parts[0] = self._preprocess(raw)
        return tuple(parts) if len(parts) > 1 else parts[0]

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

    def save(self, path: str | Path) -> Path:
        """See :meth:`Session.save <selvedge.run.learning.Learning.save>`: of what learns."""
        return self.tail.save(path)

    def resume(self, path: str | Path) -> None:
        """See :meth:`Session.resume <selvedge.run.learning.Learning.resume>`."""
        self.tail.resume(path)


def about(folder: Path, preprocess: Preprocess | None) -> str:
    """What no part's manifest says, :data:`ABOUT`: what the whole plan makes of raw bytes, and of which two manifests
    it is. Two cuts at latents of one shape would run as one, and predict what nobody has trained."""
    made = None if preprocess is None else preprocess.to_dict()
    return json.dumps({"preprocess": made, "manifests": _manifests(folder)}, indent=1) + "\n"


def _manifests(folder: Path) -> dict[str, str]:
    """The hash of each part's manifest, which has those of its files."""
    return {part: hashlib.sha256((folder / part / "manifest.json").read_bytes()).hexdigest() for part in (FROZEN, TAIL)}


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
        found = json.loads((place / ABOUT).read_text(encoding="utf-8"))
        preprocess = None if found["preprocess"] is None else Preprocess.from_dict(found["preprocess"])
        manifests = found["manifests"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise InvalidInput("folder", str(place), f"its {ABOUT} is missing or damaged: emit it again") from None
    if manifests != _manifests(place):
        raise InvalidInput("folder", str(place), "its two parts are not of one cut: emit it again")
    return CutSession(load(place / FROZEN), load(place / TAIL), preprocess)
