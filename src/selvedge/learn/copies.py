"""Copies of all that learns: what predicts, what learns, what that was at the last commit, what there was at first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..run.session import Session


@dataclass(frozen=True, slots=True)
class Copy:
    """``arrays``: bit for bit what the arena held, by name; ``steps``: the place in the schedule of rates."""

    arrays: Mapping[str, npt.NDArray[Any]]
    steps: int

    @classmethod
    def of(cls, session: Session) -> Copy:
        return cls(session.snapshot(), session.steps)

    def into(self, session: Session) -> None:
        session.restore(self.arrays, self.steps)

    def same(self, other: Copy) -> bool:
        return all(np.array_equal(a, other.arrays[n], equal_nan=True) for n, a in self.arrays.items())

    @property
    def bytes(self) -> int:
        return sum(a.nbytes for a in self.arrays.values())


class Copies:
    """``began`` is never changed: it lies in the artifact. The three others are RAM, and one that is being made:
    ``deployed`` predicts, ``candidate`` learns, and ``grown`` is what the candidate was when it, or a part of the way
    to it, was last committed: where another begins."""

    def __init__(self, session: Session) -> None:
        self.began = self.deployed = self.candidate = self.grown = Copy.of(session)
        manifest = session.manifest
        self._blended = [n for n, a in self.began.arrays.items() if manifest.state[n].of_model and a.dtype.kind == "f"]
        self.marks: Mapping[str, npt.NDArray[np.bool_]] = {}  # what was not there when it began: no blend goes back

    NAMES = ("deployed", "candidate", "grown")

    @property
    def bytes(self) -> int:
        return (len(self.NAMES) + 1) * self.began.bytes + sum(mark.nbytes for mark in self.marks.values())

    def blend(self, share: float) -> Copy:
        """From where it began, ``share`` of the way to the candidate: the parameters; the optimiser's state is the
        candidate's."""
        if share == 1:
            return self.candidate
        made = dict(self.candidate.arrays)
        for name in self._blended:
            start, end = self.began.arrays[name], made[name]
            part = end - start
            part *= end.dtype.type(share)
            part += start
            made[name] = np.where(self.marks[name], end, part) if name in self.marks else part
        return Copy(made, self.candidate.steps)

    def commit(self, made: Copy) -> None:
        """Let ``made``, which is of the candidate, predict."""
        self.deployed, self.grown = made, self.candidate

    def state_dict(self) -> dict[str, npt.NDArray[Any]]:
        state: dict[str, npt.NDArray[Any]] = {}
        for name in self.NAMES:
            copy: Copy = getattr(self, name)
            state |= {f"{name}/{n}": a.copy() for n, a in copy.arrays.items()} | {f"{name}.steps": np.array(copy.steps)}
        return state

    def load_state_dict(self, state: Mapping[str, npt.NDArray[Any]], session: Session) -> None:
        """Raises ``InvalidInput`` for the state of another plan; ``session`` looks at each."""
        found: dict[str, Copy] = {}
        for name in self.NAMES:
            arrays = {n[len(name) + 1 :]: a.copy() for n, a in state.items() if n.startswith(f"{name}/")}
            found[name] = Copy(arrays, int(state[f"{name}.steps"]))
            found[name].into(session)
        self.deployed, self.candidate, self.grown = (found[n] for n in self.NAMES)
