"""Learning from a stream that has no labels, until that does harm."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt

from ...errors import DoesNotFit, InvalidInput
from ...run.ports import NotFinite
from ...run.session import Session
from ..copies import Copy
from ..draws import Draws
from ..figures import Bytes
from ..given import fitting
from ..guard.collapse import Collapse
from ..guard.spike import WINDOW, Spike
from .objective import Objective

Array = npt.NDArray[Any]
LEAP = 10.0  # times the first losses
WHY = 80  # bytes of why it stopped


class Unlabelled:
    """Predicts a batch and learns from it, by an objective; where it collapses, the session is again bit for bit what
    it was when it began, and learns no more.

    Without labels nobody can show that what was learnt is better: there is no commit. What is seen is that it falls
    apart - a prediction that is not finite, or all of them alike (:class:`Collapse`), for which the weights that it
    began with predict the same samples again: they lie in flash, and cost a third of a step. ``why``: it stopped; else
    "".

    What :meth:`state_dict` gives goes on bit for bit in another of the same settings, over the same weights: into
    :meth:`selvedge.Journal.snapshot`, with every batch that is learnt as a record behind it.

    >>> # own = Unlabelled(session, Entropy(), Collapse(10))
    >>> # own.learn(x)                    the outputs for x [batch, ...], before it was learnt from
    """

    def __init__(
        self, session: Session, objective: Objective, collapse: Collapse | None = None, *,
        rate: float | None = None, seed: int = 0, budget: int | None = None,
    ) -> None:  # fmt: skip
        """collapse: None for an objective without classes; then a loss that leaps, to ten times the first eight's, is
        what takes it back. rate: None: the plan's schedule. budget: bytes of RAM for all of it.

        Raises ``InvalidInput`` for a plan whose loss the objective does not know, one that accumulates, and one without
        the classes that ``collapse`` has; ``DoesNotFit`` above the budget.
        """
        objective.require(session)
        if session.manifest.accumulate > 1:
            raise InvalidInput("plan", f"of {session.manifest.accumulate} micro-batches", "plan with accumulate=1")
        shape = session.manifest.target_shape
        if collapse is not None and shape != (collapse.classes + 1,):
            raise InvalidInput("collapse", f"of {collapse.classes} classes", f"the plan's target is {shape}")
        self.session, self.objective, self.collapse, self.rate = session, objective, collapse, rate
        self.steps, self.why = 0, ""
        self._began, self._draws = Copy.of(session), Draws(seed)
        self._spike, self._usual = Spike(LEAP), 0.0  # the mean of the first losses
        weights, state = session._weights, session.manifest.state
        self._in_flash = all(  # the weights that it began with are those of the artifact
            weights[state[n].initial : state[n].initial + a.nbytes].tobytes() == a.tobytes()
            for n, a in self._began.arrays.items()
        )
        needed = self.bytes.total
        if budget is not None and needed > budget:
            fix = "begin with the weights that were shipped" if not self._in_flash else "let fewer layers learn"
            raise DoesNotFit("RAM of learning without labels", needed, budget, fix)

    @property
    def bytes(self) -> Bytes:
        """Exactly, and the same from the first batch. Copies: what the session is while its first weights are asked,
        with ``collapse``; and those, where they are not the artifact's, which lie in flash."""
        count = (self.collapse is not None) + (not self._in_flash)
        ram = {"arena": self.session.arena_bytes, "copies": count * self._began.bytes}
        ram |= {"spike": self._spike.bytes, "counts": 8 * len(("steps", "usual", "seed", "draws")) + WHY}
        if self.collapse is not None:
            ram["collapse"] = self.collapse.bytes
        return Bytes(ram, {"weights": self.session.manifest.weights_bytes})

    def state_dict(self) -> dict[str, Array]:
        """Copies of all that it is, by name, the session too: another of the same settings that loads them goes on as
        this one. Of the weights that it began with a sum: they must be there."""
        now = Copy.of(self.session)
        state = {f"session/{name}": array for name, array in now.arrays.items()}
        state |= {f"spike/{name}": array for name, array in self._spike.state_dict().items()}
        if self.collapse is not None:
            state |= {f"collapse/{name}": array for name, array in self.collapse.state_dict().items()}
        state["why"] = np.frombuffer(self.why.encode().ljust(WHY)[:WHY], np.uint8).copy()
        state["usual"] = np.array(self._usual)
        state["counts"] = np.array([now.steps, self.steps, self._draws.count, self._sum()], np.int64)
        return state

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Go on from what :meth:`state_dict` gave. Raises ``InvalidInput``, and changes nothing, for another's."""
        mine = self.state_dict()
        fitting("unlabelled state", mine, state)
        counts, usual = [int(n) for n in state["counts"]], float(state["usual"])
        if counts[3] != self._sum():
            fix = "give the session as it was when that one began"
            raise InvalidInput("unlabelled state", "of other weights to begin with", fix)
        if min(counts) < 0 or not math.isfinite(usual):
            raise InvalidInput("unlabelled state counts", counts[:3], "give what state_dict() gave")
        learnt = {n.removeprefix("session/"): a for n, a in state.items() if n.startswith("session/")}
        try:
            why = state["why"].tobytes().decode().rstrip()
            self._parts(state)
        except (InvalidInput, UnicodeDecodeError):
            self._parts(mine)
            raise InvalidInput("unlabelled state", "of another", "give what state_dict() gave") from None
        self.session.restore(learnt, counts[0])
        self.steps, self._draws.count, self._usual, self.why = counts[1], counts[2], usual, why

    def _parts(self, state: Mapping[str, Array]) -> None:
        for name, part in (("spike", self._spike), ("collapse", self.collapse)):
            if part is not None:
                part.load_state_dict({n[len(name) + 1 :]: a for n, a in state.items() if n.startswith(f"{name}/")})

    def _sum(self) -> int:
        """Of the weights that it began with."""
        found = self._began.steps
        for name in sorted(self._began.arrays):
            found = crc32(np.ascontiguousarray(self._began.arrays[name]).tobytes(), found & 0xFFFFFFFF)
        return found

    def learn(self, x: npt.ArrayLike) -> Array:
        """The outputs for x [batch, ...], by the weights before they learn from it. Raises as ``session.predict``."""
        given = np.asarray(x)
        seen = self.objective.seen(self.session, given)
        if self.why:
            return np.asarray(self.session.predict(seen))
        try:
            outputs = np.asarray(self.session.predict(seen))
        except NotFinite:
            return self._back("a prediction is not finite", seen)
        if self.collapse is not None and self.collapse.update(outputs, self._at_first(seen)):
            own, other = self.collapse.in_use
            return self._back(f"{own:.1f} classes are left of {other:.1f}", seen)
        lesson = self.objective.lesson(self.session, given, outputs, self._draws)
        if lesson is not None:
            try:
                loss = self.session.step(*lesson, lr=self.rate)
            except NotFinite as error:
                self._back(f"its loss is {error.loss}", seen)
            else:
                self.steps += 1
                self._usual += (loss - self._usual) / self.steps if self.steps <= WINDOW else 0.0
                if self.collapse is None and self._spike.update(loss, self._usual):
                    self._back(f"its loss leapt to {loss:.3g}, from {self._usual:.3g}", seen)
        return outputs

    def _at_first(self, x: Array) -> Array:
        now = Copy.of(self.session)
        self._began.into(self.session)
        try:
            return np.asarray(self.session.predict(x))
        finally:
            now.into(self.session)

    def _back(self, why: str, x: Array) -> Array:
        self.why = why[:WHY]
        self._began.into(self.session)
        return np.asarray(self.session.predict(x))
