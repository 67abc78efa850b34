"""A session learns what a task asks for, on the device's own samples."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput
from ...learn.draws import Draws
from ...run.calls import NotFinite
from ...run.session import Session
from ..codec.codec import Vector
from ..layout import Layout
from .store import InMemory, Store
from .trainer import CannotTrain, Trained

Array = npt.NDArray[Any]


class SessionTrainer:
    """``x``, ``y``: the samples of this device, which stay here. personal: names whose arrays stay here too, in
    ``store``; all others of floating-point numbers are shared.

    The session may be that of many devices of one process: everything that a task needs is loaded at its beginning.
    Its plan's optimiser is plain SGD where tasks ask for ``mu`` or control variates, which are steps of their own.
    """

    def __init__(
        self, session: Session, x: Array, y: Array, personal: Collection[str] = (), store: Store | None = None,
        seed: int = 0,
    ) -> None:  # fmt: skip
        if len(x) != len(y) or len(x) < 1:
            raise InvalidInput(
                "samples", f"{len(x)} and {len(y)} labels", "give as many labels as samples, at least one"
            )
        state = state_of(session)
        for name in personal:
            if name not in state:
                raise InvalidInput("personal", name, f"the model has {', '.join(list(state)[:4])}, ...")
        self.layout = Layout.of({n: a for n, a in state.items() if n not in set(personal)})
        self._session, self._x, self._y, self._seed = session, x, y, seed
        self._personal, self._store = tuple(personal), store or InMemory()
        self._began = {n: state[n].copy() for n in self._personal}

    def train(
        self, start: Vector, local: dict[str, Any], task: int, control: Vector | None, own: Vector | None
    ) -> Trained:
        session, rate = self._session, float(local["rate"])
        kept = self._store.load()
        personal = dict(kept[1]) if kept is not None else self._began
        self._load(start, personal)
        batch = session.manifest.step_batch
        rows = self._rows(int(local["epochs"]), batch, task)
        losses: list[float] = []
        apart = bool(local["mu"]) or control is not None
        pull = np.zeros_like(start)
        if control is not None:
            pull = control - own if own is not None else control
        try:
            for part in rows:
                before = self.layout.vector(state_of(session)) if apart else start
                losses.append(session.step(self._x[part], self._y[part], lr=rate))
                if apart:
                    # The gradient of mu / 2 |w - w0|^2, and SCAFFOLD's c - c_i, where the step began.
                    now = self.layout.vector(state_of(session))
                    now -= np.float32(rate) * (np.float32(local["mu"]) * (before - start) + pull)
                    session.load_state_dict({**state_of(session), **self.layout.arrays(now)})
        except NotFinite as error:
            raise CannotTrain(f"learning diverged: {error}") from None
        state = state_of(session)
        if self._personal:
            self._store.save({}, {n: state[n] for n in self._personal})
        vector = self.layout.vector(state)
        variate = None
        if control is not None:
            # Option II of algorithm 1 there: c_i - c + (x - y) / (K rate).
            steps = np.float32(len(rows) * rate)
            variate = np.asarray((start - vector) / steps - pull, np.float32)
        first = max(1, len(rows) // int(local["epochs"]))
        return Trained(vector, len(self._x), float(np.mean(losses[:first])), variate)

    def _load(self, start: Vector, personal: dict[str, Array]) -> None:
        session = self._session
        session.load_state_dict({**state_of(session), **self.layout.arrays(start), **personal})
        fresh = {n: np.zeros_like(a) for n, a in session.optimizer_state_dict().items()}
        if fresh:
            session.load_optimizer_state_dict(fresh)

    def _rows(self, epochs: int, batch: int, task: int) -> list[npt.NDArray[np.intp]]:
        """Of each step: every sample once an epoch, in an order that the task draws; the last batch is filled up from
        the front."""
        draws, made = Draws(self._seed, task << 32), []
        for _ in range(epochs):
            order = np.argsort(draws.words(len(self._x)), kind="stable")
            for i in range(0, len(order), batch):
                made.append(np.resize(order, i + batch)[i:] if i + batch > len(order) else order[i : i + batch])
        return made


def state_of(session: Session) -> dict[str, Array]:
    """The model's state as numpy has it, whatever kind of session it is."""
    return {n: np.asarray(a) for n, a in session.state_dict().items()}
