"""Weights that earlier samples needed are held where they were: elastic weight consolidation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput, NotSupported
from ...run.session import Session
from ..given import fitting
from ..rate.gradient import gradient

Array = npt.NDArray[Any]


class Consolidation:
    """The penalty strength / 2 * sum F (w - w*)^2 beside the plan's loss, whatever that is.

    F, the diagonal of the Fisher information, is the mean of squared gradients of one sample each, at its own label
    (Kirkpatrick et al., arXiv:1612.00796, eq. 3). ``learnt`` adds those of what was just learnt to ``decay`` times the
    earlier ones, and makes w* the weights of now: one pair of arrays for ever (online EWC: Schwarz et al.,
    arXiv:1805.06370, eq. 9). decay 1: every task counts alike.

    The penalty does not go through the compiled step but behind it: ``pull`` is the exact proximal step
    w <- (w + r s F w*) / (1 + r s F) at rate r and strength s (Parikh & Boyd, *Proximal Algorithms*, 2014, 6.1.1), that
    no strength makes diverge. With momentum m a gradient acts 1 / (1 - m) times in the end, and so does the pull: it is
    the same penalty. Gradients are seen from outside likewise (:func:`~..rate.gradient.gradient`).

    ``bytes``: 8 for each parameter that learns, from the first day; a gradient needs a copy of what learns meanwhile.
    """

    def __init__(self, session: Session, strength: float, decay: float = 1.0) -> None:
        """Raises ``InvalidInput`` for a strength below 0 and a decay that is not in 0..1, and ``NotSupported`` for a
        plan whose step is not the gradient's alone - another optimiser than SGD, clipping, weight decay - or that
        accumulates, or whose parameters do not learn as floats."""
        if not (math.isfinite(strength) and strength >= 0):
            raise InvalidInput("strength", strength, "give a number of at least 0")
        if not 0 <= decay <= 1:
            raise InvalidInput("decay", decay, "give a number in 0..1")
        manifest = session.manifest
        kind = manifest.optimizer.get("name")
        odd = sorted(k for k, v in manifest.optimizer.items() if k not in ("name", "lr", "momentum", "nesterov") and v)
        if kind != "SGD" or odd or manifest.accumulate > 1:
            what = ", ".join(odd) if kind == "SGD" and odd else kind if kind != "SGD" else "accumulated steps"
            raise NotSupported("consolidation", f"with {what}", "plan with sv.SGD, without clipping or weight decay")
        self._session, self.strength, self.decay = session, float(strength), float(decay)
        state = session.snapshot()
        self._names = [n for n, a in state.items() if manifest.state[n].kind == "parameter"]
        if any(state[n].dtype.kind != "f" for n in self._names):
            raise NotSupported("consolidation", "of weights in int8", "plan a model that learns in floats")
        self._fisher = {n: np.zeros_like(state[n]) for n in self._names}
        self._anchor = {n: state[n].copy() for n in self._names}

    @property
    def bytes(self) -> int:
        return sum(a.nbytes for part in (self._fisher, self._anchor) for a in part.values())

    @property
    def fisher(self) -> Mapping[str, Array]:
        """F by parameter, as it is stored; copies."""
        return {n: a.copy() for n, a in self._fisher.items()}

    def learnt(self, x: Array, target: Array) -> None:
        """What was just learnt, ``x`` [n, ...] and the targets that the plan takes, is to be kept. n steps; afterwards
        the session is bit for bit what it was. Raises ``InvalidInput`` for no sample, and as ``session.step``."""
        if not len(x) or len(x) != len(target):
            raise InvalidInput("x", f"{len(x)} samples, {len(target)} targets", "give one or more, a target for each")
        batch, found = self._session.manifest.step_batch, {n: np.zeros(a.shape) for n, a in self._fisher.items()}
        for i in range(len(x)):
            one = np.repeat(x[i : i + 1], batch, 0), np.repeat(target[i : i + 1], batch, 0)
            for n, g in gradient(self._session, *one).items():
                found[n] += g**2
        now = self._session.snapshot()
        for n in self._names:
            self._fisher[n] = np.asarray(self.decay * self._fisher[n] + found[n] / len(x), now[n].dtype)
            self._anchor[n] = now[n].copy()

    def pull(self, rate: float) -> None:
        """After a step at ``rate``: the weights go towards those to keep."""
        arrays, momentum = self._session.snapshot(), self._session.manifest.optimizer["momentum"]
        for n in self._names:
            force = arrays[n].dtype.type(rate * self.strength / (1 - momentum)) * self._fisher[n]
            arrays[n] = (arrays[n] + force * self._anchor[n]) / (1 + force)
        self._session.restore(arrays, self._session.steps)

    def state_dict(self) -> dict[str, Array]:
        parts = {"fisher": self._fisher, "anchor": self._anchor}
        return {f"{part}/{n}": a.copy() for part, arrays in parts.items() for n, a in arrays.items()}

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Raises ``InvalidInput``, and changes nothing, for anything but what :meth:`state_dict` gives."""
        fitting("consolidation state", self.state_dict(), state)
        self._fisher = {n: state[f"fisher/{n}"].copy() for n in self._names}
        self._anchor = {n: state[f"anchor/{n}"].copy() for n in self._names}
