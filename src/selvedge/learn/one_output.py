"""One output of a model learns, and nothing else: what it says of other classes stays bit for bit as it was."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..errors import NotSupported
from ..run.session import Session
from .copies import Copy


class OneOutput:
    """The row of ``output`` in the last layer's arrays, which are the last of the model's with a row for each class.

    Where it lies among the bytes of a plan is found by writing it: whatever the layout, only these elements change.
    """

    def __init__(self, session: Session, output: int, now: Copy) -> None:
        """``now``: what the session holds. Raises ``NotSupported`` where the last layer does not learn as floats."""
        manifest = session.manifest
        state = {name: np.asarray(array) for name, array in session.state_dict().items()}
        last = next((n for n in reversed(manifest.order) if state[n].ndim and len(state[n]) == manifest.classes), "")
        layer = [n for n in state if n.rpartition(".")[0] == last.rpartition(".")[0]]
        self._output, self._bias = output, next((n for n in layer if state[n].ndim == 1), "")
        marked = {name: np.zeros_like(array) for name, array in state.items()}
        for name in layer:
            marked[name][output] = 1
        session.load_state_dict({**state, **{name: marked[name] for name in layer}})
        ones = session.snapshot()
        session.load_state_dict({**state, **{name: np.zeros_like(state[name]) for name in layer}})
        zeros = session.snapshot()
        now.into(session)
        self._session, self._now = session, now
        self._rows = {name: ones[name] != zeros[name] for name in ones}
        self._of_model = {name for name, entry in manifest.state.items() if entry.of_model}
        rows = [name for name, where in self._rows.items() if where.any()]
        if not rows or any(now.arrays[name].dtype.kind != "f" for name in rows):
            raise NotSupported("enrolment", last, "plan a model whose last layer learns in float32")

    @property
    def rows(self) -> dict[str, npt.NDArray[np.bool_]]:
        """Where it lies in the arrays of a snapshot: of those that have some of it."""
        return {name: where for name, where in self._rows.items() if where.any()}

    @property
    def nothing(self) -> dict[str, npt.NDArray[np.bool_]]:
        """The same arrays, without a mark."""
        return {name: np.zeros_like(where) for name, where in self.rows.items()}

    def hold(self) -> None:
        """Put back all that another step has changed of the model."""
        learnt, kept = self._session.snapshot(), self._now.arrays
        made = {n: np.where(self._rows[n], a, kept[n]) if n in self._of_model else a for n, a in learnt.items()}
        self._session.restore(made, self._session.steps)

    def lower(self, by: float) -> None:
        """Take ``by`` from its bias, if the layer has one."""
        state = {name: np.asarray(array).copy() for name, array in self._session.state_dict().items()}
        if by and self._bias:
            state[self._bias][self._output] -= by
            self._session.load_state_dict(state)
            self.hold()

    def finish(self) -> None:
        """The optimiser, and its place in the schedule, are as they were before."""
        learnt = self._session.snapshot()
        made = {n: np.where(self._rows[n], a, self._now.arrays[n]) for n, a in learnt.items()}
        self._session.restore(made, self._now.steps)
