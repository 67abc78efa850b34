"""A session learns what a task asks for, on the device's own samples."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput
from ...learn.draws import Draws
from ...run.ports import NotFinite
from ...run.session import Session
from ..codec.codec import Vector
from ..layout import Layout
from .store import InMemory, Store, personal_of
from .trainer import CannotTrain, Trained

Array = npt.NDArray[Any]
STATISTICS = ("running_mean", "running_var")
MOST_STEPS = 100_000  # of a task, unless it is said otherwise


class SessionTrainer:
    """``x``, ``y``: the samples of this device, which stay here. personal: names whose arrays stay here too; all others
    of floating-point numbers are shared. store: the participant's own, which keeps what is personal beside its answer.

    The session may be that of many devices of one process: everything that a task needs is loaded at its beginning.
    Its plan's optimiser is plain SGD where tasks ask for ``mu`` or control variates, which are steps of their own, of
    parameters: statistics of a norm are no gradient's. most_steps: of a task; one of more is refused, whoever asks.
    """

    def __init__(
        self, session: Session, x: Array, y: Array, personal: Collection[str] = (), store: Store | None = None,
        seed: int = 0, most_steps: int = MOST_STEPS,
    ) -> None:  # fmt: skip
        if isinstance(most_steps, bool) or not isinstance(most_steps, int) or most_steps < 1:
            raise InvalidInput("most_steps", most_steps, "give a whole number >= 1")
        if len(x) != len(y) or len(x) < 1:
            raise InvalidInput(
                "samples", f"{len(x)} and {len(y)} labels", "give as many labels as samples, at least one"
            )
        state = state_of(session)
        for name in personal:
            if name not in state:
                raise InvalidInput("personal", name, f"the model has {', '.join(list(state)[:4])}, ...")
        if personal and store is None:
            fix = "give the participant's own, which keeps them with its answer"
            raise InvalidInput("store", "missing beside personal layers", fix)
        self.layout = Layout.of({n: a for n, a in state.items() if n not in set(personal)})
        self._session, self._x, self._y, self._seed = session, x, y, seed
        self._personal, self._store = tuple(personal), store or InMemory()
        self._began = {n: state[n].copy() for n in self._personal}
        self._most_steps = most_steps
        kinds = {n: entry.kind for n, entry in session.manifest.state.items()}
        # Float32 [size], 1 for what gradients move; folded norms have their parameters under names of their own.
        self._learnt = np.ones(self.layout.size, np.float32)
        for name, _, place in self.layout.places():
            if kinds.get(name) == "buffer" or name.endswith(STATISTICS):
                self._learnt[place] = 0

    def train(
        self, start: Vector, local: dict[str, Any], task: int, control: Vector | None, own: Vector | None
    ) -> Trained:
        session, rate = self._session, float(local["rate"])
        kept = personal_of(self._store) if self._personal else None
        self._load(start, self._began if kept is None else dict(kept))
        batch = session.manifest.step_batch
        each = -(-len(self._x) // batch)
        steps = int(local["epochs"]) * each
        if steps > self._most_steps:
            raise CannotTrain(f"{steps:,} steps, {local['epochs']} epochs of {each:,}: at most {self._most_steps:,}")
        losses: list[float] = []
        apart = bool(local["mu"]) or control is not None
        pull = np.zeros_like(start)
        if control is not None:
            pull = (control - own if own is not None else control) * self._learnt
        try:
            for part in self._rows(int(local["epochs"]), batch, task):
                before = self.layout.vector(state_of(session)) if apart else start
                losses.append(session.step(self._x[part], self._y[part], lr=rate))
                if apart:
                    # The gradient of mu / 2 |w - w0|^2, and SCAFFOLD's c - c_i, where the step began.
                    now = self.layout.vector(state_of(session))
                    now -= np.float32(rate) * (np.float32(local["mu"]) * (before - start) * self._learnt + pull)
                    session.load_state_dict({**state_of(session), **self.layout.arrays(now)})
        except NotFinite as error:
            raise CannotTrain(f"learning diverged: {error}") from None
        state = state_of(session)
        vector = self.layout.vector(state)
        variate = None
        if control is not None:
            # Option II of algorithm 1 there: c_i - c + (x - y) / (K rate).
            variate = np.asarray((start - vector) / np.float32(steps * rate) * self._learnt - pull, np.float32)
        own_layers = {n: state[n].copy() for n in self._personal}
        return Trained(vector, len(self._x), float(np.mean(losses[:each])), variate, own_layers)

    def _load(self, start: Vector, personal: dict[str, Array]) -> None:
        session = self._session
        session.load_state_dict({**state_of(session), **self.layout.arrays(start), **personal})
        fresh = {n: np.zeros_like(a) for n, a in session.optimizer_state_dict().items()}
        if fresh:
            session.load_optimizer_state_dict(fresh)

    def _rows(self, epochs: int, batch: int, task: int) -> Iterator[npt.NDArray[np.intp]]:
        """Of each step: every sample once an epoch, in an order that the task draws; the last batch is filled up from
        the front."""
        draws = Draws(self._seed, task << 32)
        for _ in range(epochs):
            order = np.argsort(draws.words(len(self._x)), kind="stable")
            for i in range(0, len(order), batch):
                yield np.resize(order, i + batch)[i:] if i + batch > len(order) else order[i : i + batch]


def state_of(session: Session) -> dict[str, Array]:
    """The model's state as numpy has it, whatever kind of session it is."""
    return {n: np.asarray(a) for n, a in session.state_dict().items()}
