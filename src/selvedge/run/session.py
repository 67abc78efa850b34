"""A session: one compiled model in one arena, learning. No torch, no graph."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from threading import RLock
from typing import Any

import numpy as np

from ..artifact.folding import folded, unfold
from ..artifact.manifest import Manifest, Port, StateEntry
from ..artifact.numbers import as_array, finite, numbers, state_dict
from ..errors import InvalidInput, SelvedgeError
from .library import BAD_LABEL, NOT_FINITE, OK, Library, aligned


class NotFinite(SelvedgeError):
    """What a program computed is NaN, or its loss infinite. Nothing was updated."""

    def __init__(self, loss: float, program: str = "step") -> None:
        what = (
            f"loss is {loss}: the step was refused and nothing was updated"
            if program == "step"
            else (f"{program} gives {loss}")
        )
        super().__init__(
            f"{what}; if it stays so, an earlier step has broken the state: load a good one, then lower the learning "
            "rate or scale the input"
        )
        self.loss = loss


class Session:
    """Predicts and learns in ``manifest.arena_bytes`` bytes. Calls from several threads wait for each other.

    Arrays cross this face in PyTorch's axis order and in the exact shapes of the plan; anything that numpy can read
    (torch tensors included) is taken. Raw uint8 input goes through the manifest's preprocessing.

    >>> # session.step(x, y)            one update, returns the loss
    >>> # session.predict(x)            the model's output, [N, ...]
    """

    def __init__(
        self,
        manifest: Manifest,
        library: Path,
        weights: bytes | np.ndarray,
        extra: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        if len(weights) != manifest.weights_bytes:
            raise InvalidInput("weights", f"{len(weights)} bytes", f"the manifest needs {manifest.weights_bytes}")
        self.manifest = manifest
        self._weights = aligned(max(1, manifest.weights_bytes))
        self._weights[: len(weights)] = np.frombuffer(weights, np.uint8)
        self._arena = aligned(manifest.arena_bytes, max(64, manifest.alignment))
        self._extra = dict(extra or {})
        self._library = Library(library, manifest.name, manifest.programs, self._arena, self._weights)
        self._library.init()
        self._steps = manifest.steps
        self._lock = RLock()

    # -- programs -------------------------------------------------------------------------------------------------

    @property
    def steps(self) -> int:
        """Updates made so far: the position in the learning-rate schedule."""
        return self._steps

    def predict(self, x: Any) -> Any:
        """The model's output for a batch ``x``; tuples of arrays for a model of several inputs or outputs.

        The batch is the plan's. Raises :class:`InvalidInput` for another shape or dtype, NaN or Inf, and
        :class:`NotFinite` where the output holds NaN.
        """
        with self._lock:
            self._inputs("predict", x)
            self._run("predict")
            found = self._outputs("predict")
            if any(np.isnan(part).any() for part in (found if isinstance(found, tuple) else (found,))):
                raise NotFinite(float("nan"), "predict")
            return found

    def evaluate(self, x: Any, y: Any = None) -> tuple[float, Any]:
        """(loss, output) of a batch, without learning from it. Raises as :meth:`predict` and :meth:`step`."""
        with self._lock:
            self._inputs("evaluate", x)
            self._target("evaluate", y)
            self._run("evaluate")
            loss = self._loss("evaluate")
            if not np.isfinite(loss):
                raise NotFinite(loss, "evaluate")
            return loss, self._outputs("evaluate")

    def step(self, x: Any, y: Any = None, lr: float | None = None) -> float:
        """One update; returns the loss before it. ``lr``: by default, what the schedule says for this step.

        Raises :class:`InvalidInput`, or :class:`NotFinite` when the loss is not a number: then nothing was updated.
        """
        with self._lock:
            given = self.manifest.schedule.lr(self._steps) if lr is None else lr
            rate = numbers("lr", given, (), np.dtype(self.manifest.dtype))
            if rate < 0:
                raise InvalidInput("lr", lr, "give a finite number >= 0")
            self._inputs("step", x)
            self._target("step", y)
            if "lr" in self.manifest.programs["step"].inputs:
                port = self.manifest.programs["step"].inputs["lr"]
                self._view(port.offset, port)[...] = rate
            self._run("step")
            self._steps += 1
            return self._loss("step")

    # -- state ----------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, np.ndarray]:
        """Every entry of the PyTorch model's state, under its names and in its layout; copies."""
        with self._lock:
            return self._whole()

    def _whole(self) -> dict[str, np.ndarray]:
        state = {n: self._read(e) for n, e in self.manifest.state.items() if e.kind != "optimizer"}
        whole = unfold(self.manifest.folds, {**self._extra, **state})
        whole.update({alias: whole[name] for alias, name in self.manifest.aliases.items()})
        return {name: np.array(whole[name]) for name in self.manifest.order}

    def optimizer_state_dict(self) -> dict[str, np.ndarray]:
        """The optimiser's own arrays."""
        with self._lock:
            return {n: self._read(e) for n, e in self.manifest.state.items() if e.kind == "optimizer"}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Replace the model's state; all of it or, on any error, none. Optimiser state is kept.

        Raises :class:`InvalidInput` naming the first entry that is missing, extra, mis-shaped or not finite.
        """
        with self._lock:
            own = {name: (array.shape, array.dtype) for name, array in self._whole().items()}
            arrays = state_dict(state, own, self.manifest.aliases)
            extra = {n: arrays[n] for n in self._extra if n in arrays}
            arrays = folded(self.manifest.folds, arrays)
            for name, entry in self.manifest.state.items():
                if entry.kind != "optimizer":
                    self._store(entry, arrays[name])
            self._extra.update(extra)

    def load_optimizer_state_dict(self, state: Mapping[str, Any], steps: int = 0) -> None:
        """Replace the optimiser's arrays and the position in the schedule; all or none."""
        _mapping("optimizer state", state, "give session.optimizer_state_dict()")
        with self._lock:
            own = {n: e for n, e in self.manifest.state.items() if e.kind == "optimizer"}
            if set(state) != set(own):
                odd = sorted(set(state) ^ set(own))[0]
                raise InvalidInput("optimizer state", odd, "give exactly the entries of optimizer_state_dict()")
            if not (isinstance(steps, int) and steps >= 0):
                raise InvalidInput("steps", steps, "give the number of steps taken so far")
            arrays = {
                n: numbers(f"optimizer state {n}", state[n], e.layout.face if e.layout else e.shape, np.dtype(e.dtype))
                for n, e in own.items()
            }
            for name, entry in own.items():
                self._store(entry, arrays[name])
            self._steps = steps

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.manifest.name}: {self.arena_bytes:,} B of arena, {self._steps} steps>"

    @property
    def arena_bytes(self) -> int:
        """Bytes of the arena this session lives in."""
        return self.manifest.arena_bytes

    # -- bytes ----------------------------------------------------------------------------------------------------

    def _run(self, program: str) -> None:
        status = self._library.call(program)
        if status == NOT_FINITE:
            raise NotFinite(self._loss(program))
        if status == BAD_LABEL:
            raise InvalidInput("y", "out of range", "labels must be class indices of the model's output")
        if status != OK:
            raise SelvedgeError(f"{program}: status {status} from the native code")

    def _view(self, offset: int, of: Port | StateEntry, weights: bool = False) -> np.ndarray:
        memory = self._weights if weights else self._arena
        return memory[offset : offset + of.bytes].view(of.dtype).reshape(of.shape)

    def _inputs(self, program: str, x: Any) -> None:
        """Lay the inputs "x", "x1", ... into the arena."""
        if program not in self.manifest.programs:
            raise InvalidInput("program", program, f"this plan has {', '.join(self.manifest.programs)}")
        names = [n for n in self.manifest.programs[program].inputs if n not in ("y", "lr")]
        if len(names) == 1:
            self._write(program, names[0], x)
            return
        if not isinstance(x, tuple) or len(x) != len(names):
            given = f"{len(x)} arrays" if isinstance(x, tuple) else "one array"
            raise InvalidInput("x", given, f"this model takes {len(names)}: give them as a tuple")
        for name, value in zip(names, x, strict=True):
            self._write(program, name, value)

    def _target(self, program: str, y: Any) -> None:
        inputs = self.manifest.programs[program].inputs
        if "y" not in inputs:
            if y is not None:
                raise InvalidInput("y", "given", f"the loss {self.manifest.loss} has no target; leave it out")
            return
        if y is None:
            raise InvalidInput("y", "missing", f"the loss {self.manifest.loss} needs a target")
        self._write(program, "y", y)

    def _write(self, program: str, name: str, value: Any) -> None:
        """Check an input and lay it into the arena."""
        port = self.manifest.programs[program].inputs[name]
        array = as_array(f"input {name}", value, port.layout.face if port.layout else port.shape)
        if port.dtype == "int32":
            if array.dtype.kind not in "iu":
                raise InvalidInput(f"input {name}", f"of dtype {array.dtype}", "labels must be integers")
            classes = self.manifest.classes
            if classes and array.size and (array.min() < 0 or array.max() >= classes):
                low, high = array.min(), array.max()
                given = f"{low}..{high}" if low < high else str(low)
                raise InvalidInput(f"input {name}", given, f"labels must lie in 0..{classes - 1}")
        elif array.dtype == np.uint8 and self.manifest.preprocess is not None and name == "x":
            array = self.manifest.preprocess(array, port.dtype)
        elif array.dtype.kind != "f":
            raise InvalidInput(f"input {name}", f"of dtype {array.dtype}", f"give {port.dtype}")
        else:
            array = finite(f"input {name}", array, np.dtype(port.dtype))
        view = self._view(port.offset, port)
        if port.layout is None or port.layout.is_identity:
            view[...] = array.reshape(port.shape)
        else:
            moved = array.transpose(port.layout.perm)
            view.reshape(moved.shape)[...] = moved

    def _outputs(self, program: str) -> Any:
        """What the model returns: an array, or a tuple of them."""
        names = [n for n in self.manifest.programs[program].outputs if n != "loss"]
        arrays = tuple(self._output(program, n) for n in names)
        return arrays[0] if len(arrays) == 1 else arrays

    def _loss(self, program: str) -> float:
        return float(self._output(program, "loss").item())

    def _output(self, program: str, name: str) -> np.ndarray:
        port = self.manifest.programs[program].outputs[name]
        view = self._view(port.offset, port)
        return np.array(port.layout.restore(view) if port.layout else view)  # restoring may leave a view of the arena

    def _read(self, entry: StateEntry) -> np.ndarray:
        view = self._view(entry.offset, entry, weights=entry.region == "flash")
        return np.array(entry.layout.restore(view) if entry.layout else view)

    def _store(self, entry: StateEntry, array: np.ndarray) -> None:
        stored = entry.layout.store(array) if entry.layout else array
        self._view(entry.offset, entry, weights=entry.region == "flash")[...] = stored


def _mapping(field: str, value: object, fix: str) -> None:
    if not isinstance(value, Mapping):
        raise InvalidInput(field, f"of type {type(value).__name__}", fix)
