"""DP-SGD on the device (Abadi et al., CCS 2016, arXiv:1607.00133): an example's gradient is cut, the sum has noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput
from ...run.ports import NotFinite
from ...run.session import Session
from ..codec.codec import Vector
from ..layout import Layout
from ..privacy.gaussian_sum import Drawn, Lattice
from ..privacy.ledger import Ledger
from ..privacy.noise import discrete_gaussian
from ..privacy.randomness import Keystream, Words, derived
from ..privacy.settings import Privacy
from .private import counted
from .session import MOST_STEPS, STATISTICS, state_of
from .trainer import CannotTrain, Trained

Array = npt.NDArray[Any]
LOT = 1 << 32
PLAIN = {"momentum": 0.0, "weight_decay": 0.0, "clip_value": None, "clip_norm": None}


class PerExample:
    """``x``, ``y``: the samples of this device. batch: how many a step has on the mean; each example is in it by a lot
    of its own (Poisson sampling), so that it may be none.

    An example's gradient is read off the session's own programs, on a call whose samples are all that example: of a
    plan that accumulates, what is in its accumulators; else what a step of rate 1 changes, and the state is put back.
    So a gradient costs one call of the plan's batch: plan with a batch of 1, better with accumulate=K, which moves no
    weights, and it is one forward and one backward each. Statistics of norms are not learnt. drawn: the noise, for an
    audit of what is without.

    Raises ``InvalidInput`` for a plan whose optimiser is no plain SGD: its step is not the gradient.
    """

    def __init__(
        self, session: Session, x: Array, y: Array, privacy: Privacy, ledger: Ledger, batch: int = 8,
        most_steps: int = MOST_STEPS, drawn: Drawn = discrete_gaussian,
    ) -> None:  # fmt: skip
        if privacy.unit != "example":
            raise InvalidInput("privacy unit", privacy.unit, "give unit='example', where='local'")
        if len(x) != len(y) or len(x) < 1:
            raise InvalidInput("samples", f"{len(x)} and {len(y)} labels", "give as many labels as samples")
        if isinstance(batch, bool) or not isinstance(batch, int) or not 1 <= batch <= len(x):
            raise InvalidInput("batch", batch, f"give 1 to {len(x)}")
        optimizer = session.manifest.optimizer
        if optimizer.get("name") != "SGD" or any(optimizer.get(n) != v for n, v in PLAIN.items()):
            raise InvalidInput("optimizer", dict(optimizer), "plan with sv.SGD(lr) alone: its step is the gradient")
        state = state_of(session)
        self.layout = Layout.of(state)
        self._session, self._x, self._y, self._batch = session, x, y, batch
        self._privacy, self._ledger, self._most_steps = privacy, ledger, most_steps
        self._lattice, self._drawn = Lattice(privacy.clip, privacy.noise), drawn
        kinds = {n: entry.kind for n, entry in session.manifest.state.items()}
        self._learnt = np.ones(self.layout.size, np.float32)
        for name, _, place in self.layout.places():
            if kinds.get(name) == "buffer" or name.endswith(STATISTICS):
                self._learnt[place] = 0
        own = set(kinds) - {"optimizer.accumulated"}
        self._sums = session.manifest.accumulate > 1 and all(
            n.removesuffix(".accumulator") in self.layout.shapes for n in own if kinds[n] == "accumulator"
        )

    def train(
        self, start: Vector, local: dict[str, Any], task: int, control: Vector | None, own: Vector | None
    ) -> Trained:
        if control is not None or local["mu"]:
            raise CannotTrain("steps of private gradients have neither control variates nor a pull")
        count = len(self._x)
        steps = int(local["epochs"]) * -(-count // self._batch)
        if steps > self._most_steps:
            raise CannotTrain(f"{steps:,} steps: at most {self._most_steps:,}")
        rate = self._batch / count
        secret = counted(self._ledger, self._privacy, start, local, task, steps, rate)
        lots, noise = Words(Keystream(derived(secret, "lots"))), Keystream(derived(secret, "steps"))
        weights = start.astype(np.float64)
        bound = int(rate * LOT)
        try:
            for _ in range(steps):
                self._load(weights.astype(np.float32))
                total = np.zeros(self.layout.size, np.int64)
                for i in np.flatnonzero(lots.below(LOT, count) < bound):
                    total += self._lattice.of(self.gradient(int(i)))
                # What no gradient moves needs no noise: it tells nothing of any example.
                moved = self._lattice.released(total, noise, self._drawn) * self._learnt
                weights -= float(local["rate"]) / self._batch * moved
        except NotFinite as error:
            raise CannotTrain(f"learning diverged: {error}") from None
        return Trained(weights.astype(np.float32), 1, 0.0)

    def gradient(self, i: int) -> Vector:
        """float32 [size]: of example ``i`` alone, at the session's weights, which are as they were afterwards."""
        session = self._session
        size = session.manifest.batch if self._sums else session.manifest.step_batch
        x, y = (np.repeat(a[i : i + 1], size, axis=0) for a in (self._x, self._y))
        if not self._sums:
            before = session.snapshot()
            was, steps = self.layout.vector(state_of(session)), session.steps
            session.step(x, y, lr=1.0)
            made = was - self.layout.vector(state_of(session))
            session.restore(before, steps)
            return np.asarray(made * self._learnt)
        session.accumulate(x, y)
        found = session.optimizer_state_dict()
        session.discard()
        factor = np.float32(session.manifest.accumulate)
        zeros = {n: np.zeros(shape, np.float32) for n, shape in self.layout.shapes.items()}
        return self.layout.vector(
            zeros | {n: found[f"{n}.accumulator"] * factor for n in zeros if f"{n}.accumulator" in found}
        )

    def _load(self, vector: Vector) -> None:
        self._session.load_state_dict({**state_of(self._session), **self.layout.arrays(vector)})
