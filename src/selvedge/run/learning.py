"""A session, whatever runs its programs: predicting, learning, and the state that is learnt. No torch, no graph."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..artifact.arrays import numbers, state_dict
from ..artifact.folding import folded, unfold
from ..artifact.manifest import StateEntry
from ..artifact.sound import COUNT
from ..errors import InvalidInput
from .given import divided, mapping
from .ports import NotFinite, Ports
from .saving import save, saved


class Learning(Ports):
    """Predicts and learns. Calls from several threads wait for each other.

    Where the plan accumulates, a step takes K micro-batches at once, and everything else one. Arrays cross this face in
    PyTorch's axis order and in the exact shapes of the plan, or in one of those it was widened for; anything that numpy
    can read (torch tensors included) is taken. Raw uint8 input goes through the manifest's preprocessing.
    """

    def _begin(self, extra: Mapping[str, np.ndarray] | None) -> None:
        """``extra``: entries of the state dict that no program reads."""
        self._extra = dict(extra or {})
        self._steps = self.manifest.steps

    # -- programs -------------------------------------------------------------------------------------------------

    @property
    def steps(self) -> int:
        """Updates made so far: the position in the learning-rate schedule."""
        return self._steps

    def predict(self, x: Any) -> Any:
        """The model's output for a batch ``x``; tuples of arrays for a model of several inputs or outputs.

        The batch is the plan's, or of another of its sizes. Raises :class:`InvalidInput` for another shape or dtype,
        NaN or Inf, and :class:`NotFinite` where the output holds NaN.
        """
        with self._lock:
            program = self._of_size("predict", x)
            given = self._inputs(program, x)
            with self._alone():
                self._lay(program, given)
                self._run(program)
                found = self._outputs(program)
            if any(_nan(part) for part in (found if isinstance(found, tuple) else (found,))):
                raise NotFinite(float("nan"), "predict")
            return found

    def evaluate(self, x: Any, y: Any = None) -> tuple[float, Any]:
        """(loss, output) of a batch, without learning from it. Raises as :meth:`predict` and :meth:`step`."""
        with self._lock:
            program = self._of_size("evaluate", x)
            given = {**self._inputs(program, x), **self._target(program, y)}
            with self._alone():
                self._lay(program, given)
                self._run(program)
                loss, output = self._loss(program), self._outputs(program)
            if not np.isfinite(loss):
                raise NotFinite(loss, "evaluate")
            return loss, output

    def step(self, x: Any, y: Any = None, lr: float | None = None) -> float:
        """One update; returns the loss before it. ``lr``: by default, what the schedule says for this step.

        A plan that accumulates takes all its micro-batches here and gives their mean loss; its accumulators must be
        empty, and are so afterwards, whether it was refused or not.

        Raises :class:`InvalidInput`, or :class:`NotFinite` when the loss, or the norm by which gradients are clipped,
        is not a number: then nothing was updated.
        """
        with self._lock:
            if self.manifest.accumulate > 1:
                return self._whole_step(x, y, lr)
            program = self._of_size("step", x)
            given = {**self._inputs(program, x), **self._target(program, y), "lr": self._rate(lr)}
            with self._alone():
                self._lay(program, given)
                self._run(program)
                self._steps += 1
                return self._loss(program)

    def accumulate(self, x: Any, y: Any = None) -> float:
        """Add the gradient of a micro-batch to the accumulators, divided by K; returns its loss.

        Raises :class:`InvalidInput`: of a plan that does not accumulate, and where K are added already; and
        :class:`NotFinite` when the loss is not a number: then the accumulators are what they were.
        """
        with self._lock:
            self._require_accumulators()
            program = self._of_size("accumulate", x)
            given = {**self._inputs(program, x), **self._target(program, y)}
            if self.accumulated >= self.manifest.accumulate:
                raise InvalidInput("accumulate", f"the micro-batch {self.accumulated + 1}", "call apply() first")
            with self._alone():
                return self._accumulate(program, given)

    def apply(self, lr: float | None = None) -> None:
        """Update by what has been accumulated, as one step, and empty the accumulators.

        With fewer than K micro-batches the others count as zeros, as in PyTorch. Raises :class:`InvalidInput` where
        nothing has been accumulated, and :class:`NotFinite` when the norm by which gradients are clipped is not a
        number: then nothing was updated, and the accumulators are what they were (see :meth:`discard`).
        """
        with self._lock:
            self._require_accumulators()
            if not self.accumulated:
                raise InvalidInput("apply", "without gradients", "call accumulate(x, y) first")
            rate = self._rate(lr)
            with self._alone():
                self._apply(rate)

    def discard(self) -> None:
        """Empty the accumulators without an update."""
        with self._lock:
            self._require_accumulators()
            with self._alone():
                self._discard()

    @property
    def accumulated(self) -> int:
        """Micro-batches in the accumulators."""
        count = self.manifest.state.get(COUNT)
        return 0 if count is None else int(self._fetched(COUNT).item())

    def _require_accumulators(self) -> None:
        if self.manifest.accumulate == 1:
            raise InvalidInput("plan", "without accumulators", "plan with accumulate=K, or call step(x, y)")

    def _whole_step(self, x: Any, y: Any, lr: float | None) -> float:
        """A step of K micro-batches, all or nothing; every input is looked at before the first."""
        if self.accumulated:
            fix = "call apply() or discard() first; a step takes all of them itself"
            raise InvalidInput("step", f"with {self.accumulated} micro-batches accumulated", fix)
        parts = self.manifest.accumulate
        xs, ys = divided("x", x, len(self._names("accumulate")), parts), divided("y", y, 1, parts)
        programs = [self._of_size("accumulate", part) for part in xs]
        given = [
            {**self._inputs(program, a), **self._target(program, b)}
            for program, a, b in zip(programs, xs, ys, strict=True)
        ]
        rate = self._rate(lr)
        with self._alone():
            try:
                losses = [self._accumulate(program, part) for program, part in zip(programs, given, strict=True)]
                self._apply(rate)
            except BaseException:  # Ctrl-C between two micro-batches too
                self._discard()
                raise
        return float(np.mean(losses))

    def _accumulate(self, program: str, given: Mapping[str, np.ndarray]) -> float:
        self._lay(program, given)
        self._run(program)
        return self._loss(program)

    def _apply(self, rate: np.ndarray) -> None:
        self._lay("apply", {"lr": rate})
        self._run("apply")
        self._steps += 1

    def _discard(self) -> None:
        for name, entry in self.manifest.state.items():
            if entry.kind == "accumulator":
                self._placed(name, np.zeros(entry.shape, entry.dtype))

    def _rate(self, lr: float | None) -> np.ndarray:
        asked = self.manifest.schedule.lr(self._steps) if lr is None else lr
        rate = numbers("lr", asked, (), np.dtype(self.manifest.dtype))
        if rate < 0:
            raise InvalidInput("lr", lr, "give a finite number >= 0")
        return rate

    # -- state ----------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, np.ndarray]:
        """Every entry of the PyTorch model's state, under its names and in its layout; copies."""
        with self._lock:
            return self._whole()

    def _whole(self) -> dict[str, np.ndarray]:
        state = {n: self._read(n) for n, e in self.manifest.state.items() if e.of_model}
        whole = unfold(self.manifest.folds, {**self._extra, **state})
        whole.update({alias: whole[name] for alias, name in self.manifest.aliases.items()})
        return {name: np.array(whole[name]) for name in self.manifest.order}

    def optimizer_state_dict(self) -> dict[str, np.ndarray]:
        """The optimiser's own arrays as they are stored, and what is accumulated."""
        with self._lock:
            return {n: self._read(n) for n, e in self.manifest.state.items() if not e.of_model}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Replace the model's state; all of it or, on any error, none. Optimiser state is kept; what is accumulated
        too, unless storage has torn it.

        Raises :class:`InvalidInput` naming the first entry that is missing, extra, mis-shaped or not finite.
        """
        with self._lock:
            own = {name: (array.shape, array.dtype) for name, array in self._whole().items()}
            arrays = state_dict(state, own, self.manifest.aliases)
            extra = {n: arrays[n] for n in self._extra if n in arrays}
            arrays = folded(self.manifest.folds, arrays)
            for name, entry in self.manifest.state.items():
                if entry.of_model:
                    self._store(name, arrays[name])
            self._extra.update(extra)
            if self._torn:
                self._discard()
            self._restored()

    def load_optimizer_state_dict(self, state: Mapping[str, Any], steps: int = 0) -> None:
        """Replace the optimiser's arrays and the position in the schedule; all or none."""
        mapping("optimizer state", state, "give session.optimizer_state_dict()")
        with self._lock:
            own = {n: e for n, e in self.manifest.state.items() if not e.of_model}
            if set(state) != set(own):
                odd = sorted(set(state) ^ set(own))[0]
                raise InvalidInput("optimizer state", odd, "give exactly the entries of optimizer_state_dict()")
            require_steps(steps)
            arrays = {
                n: numbers(f"optimizer state {n}", state[n], e.layout.face if e.layout else e.shape, np.dtype(e.dtype))
                for n, e in own.items()
            }
            with self._alone():
                for name in own:
                    self._store(name, arrays[name])
                self._steps = steps

    def snapshot(self) -> dict[str, np.ndarray]:
        """Everything that learns, as it is stored, bit for bit; copies. For :meth:`restore`, not for PyTorch."""
        with self._lock:
            return {n: self._fetched(n) for n in self._learnt()}

    def restore(self, snapshot: Mapping[str, np.ndarray], steps: int) -> None:
        """Go on from a :meth:`snapshot` of the same plan, taken after ``steps`` steps; on any error nothing changes.

        Raises :class:`InvalidInput` for other names, shapes or dtypes.
        """
        with self._lock:
            own = self._learnt()
            if set(snapshot) != set(own):
                odd = sorted(set(snapshot) ^ set(own))[0]
                raise InvalidInput("snapshot", odd, "it is of another plan: give one of this plan's own")
            for name, entry in own.items():
                array = snapshot[name]
                if array.shape != entry.shape or array.dtype != np.dtype(entry.dtype):
                    fix = f"this plan has {entry.dtype}{list(entry.shape)}"
                    raise InvalidInput(f"snapshot {name}", f"{array.dtype}{list(array.shape)}", fix)
            require_steps(steps)
            with self._alone():
                for name in own:
                    self._placed(name, snapshot[name])
                self._restored()
                self._steps = steps

    def save(self, path: str | Path) -> Path:
        """Write all that learns, the optimiser's state and the number of steps to ``path``, whole or not at all.

        Raises :class:`InvalidInput` where it cannot be written.
        """
        with self._lock:
            save(Path(path), self.snapshot(), self._steps, self.manifest.digest)
        return Path(path)

    def resume(self, path: str | Path) -> None:
        """Go on from what :meth:`save` wrote, here or in another process; on any error nothing changes.

        Raises :class:`InvalidInput` for a file that is damaged, or of another plan.
        """
        self.restore(*saved(Path(path), self.manifest.digest))

    def _learnt(self) -> dict[str, StateEntry]:
        return {n: e for n, e in self.manifest.state.items() if e.region == "state"}


def require_steps(steps: object) -> None:
    if not isinstance(steps, int) or isinstance(steps, bool) or not 0 <= steps < 1 << 63:
        raise InvalidInput("steps", steps, "give the number of steps taken so far")


def _nan(array: np.ndarray) -> bool:
    return bool(np.isnan(array).any()) if array.dtype.kind == "f" else False
