"""A session: one compiled model in one arena, learning. No torch, no graph."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any

import numpy as np

from ..artifact.arrays import finite, numbers, state_dict
from ..artifact.folding import folded, unfold
from ..artifact.manifest import Manifest, Port, StateEntry
from ..errors import InvalidInput, SelvedgeError
from .given import laid_out, mapping
from .library import BAD_LABEL, NOT_FINITE, OK, STORAGE, TORN, Library, aligned
from .storage import StorageFailed, Torn, opened


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
        storage: str | Path | None = None,
    ) -> None:
        """storage: for a plan that pages, the file that it pages out to; by default one without a name."""
        if len(weights) != manifest.weights_bytes:
            raise InvalidInput("weights", f"{len(weights)} bytes", f"the manifest needs {manifest.weights_bytes}")
        self.manifest = manifest
        self._weights = aligned(max(1, manifest.weights_bytes))
        self._weights[: len(weights)] = np.frombuffer(weights, np.uint8)
        self._arena = aligned(manifest.arena_bytes, max(64, manifest.alignment))
        self._extra = dict(extra or {})
        paged = opened(storage, manifest.storage_bytes) if manifest.storage_bytes else None
        self._library = Library(library, manifest.name, manifest.programs, self._arena, self._weights, storage=paged)
        self._library.init()
        self._steps = manifest.steps
        self._lock = RLock()
        self._busy = False

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
            given = self._inputs("predict", x)
            with self._alone():
                self._lay("predict", given)
                self._run("predict")
                found = self._outputs("predict")
            if any(_nan(part) for part in (found if isinstance(found, tuple) else (found,))):
                raise NotFinite(float("nan"), "predict")
            return found

    def evaluate(self, x: Any, y: Any = None) -> tuple[float, Any]:
        """(loss, output) of a batch, without learning from it. Raises as :meth:`predict` and :meth:`step`."""
        with self._lock:
            given = {**self._inputs("evaluate", x), **self._target("evaluate", y)}
            with self._alone():
                self._lay("evaluate", given)
                self._run("evaluate")
                loss, output = self._loss("evaluate"), self._outputs("evaluate")
            if not np.isfinite(loss):
                raise NotFinite(loss, "evaluate")
            return loss, output

    def step(self, x: Any, y: Any = None, lr: float | None = None) -> float:
        """One update; returns the loss before it. ``lr``: by default, what the schedule says for this step.

        Raises :class:`InvalidInput`, or :class:`NotFinite` when the loss is not a number: then nothing was updated.
        """
        with self._lock:
            given = {**self._inputs("step", x), **self._target("step", y)}
            asked = self.manifest.schedule.lr(self._steps) if lr is None else lr
            rate = numbers("lr", asked, (), np.dtype(self.manifest.dtype))
            if rate < 0:
                raise InvalidInput("lr", lr, "give a finite number >= 0")
            if "lr" in self.manifest.programs["step"].inputs:
                given["lr"] = rate
            with self._alone():
                self._lay("step", given)
                self._run("step")
                self._steps += 1
                return self._loss("step")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """The arena for one call: what a signal handler, say, calls in between must not change it."""
        if self._busy:
            raise SelvedgeError("session: it is in the middle of a call; let that one return first")
        self._busy = True
        try:
            yield
        finally:
            self._busy = False

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
            self._library.restored()

    def load_optimizer_state_dict(self, state: Mapping[str, Any], steps: int = 0) -> None:
        """Replace the optimiser's arrays and the position in the schedule; all or none."""
        mapping("optimizer state", state, "give session.optimizer_state_dict()")
        with self._lock:
            own = {n: e for n, e in self.manifest.state.items() if e.kind == "optimizer"}
            if set(state) != set(own):
                odd = sorted(set(state) ^ set(own))[0]
                raise InvalidInput("optimizer state", odd, "give exactly the entries of optimizer_state_dict()")
            _require_steps(steps)
            arrays = {
                n: numbers(f"optimizer state {n}", state[n], e.layout.face if e.layout else e.shape, np.dtype(e.dtype))
                for n, e in own.items()
            }
            with self._alone():
                for name, entry in own.items():
                    self._store(entry, arrays[name])
                self._steps = steps

    def persistent(self) -> bytes:
        """What was learnt, as it lies in the first NAME_PERSISTENT_BYTES of the arena, here as on a microcontroller."""
        with self._lock:
            return self._arena[: self.manifest.persistent_bytes].tobytes()

    def load_persistent(self, data: bytes, steps: int | None = None) -> None:
        """Go on from what :meth:`persistent` returned, or from the bytes that a board has kept; all or none.

        steps: the place in the schedule, by default the present one. Raises :class:`InvalidInput` for another number
        of bytes, and for a parameter or an optimiser's array that is not finite.
        """
        if not isinstance(data, bytes | bytearray | memoryview):
            raise InvalidInput("persistent", f"of type {type(data).__name__}", "give bytes")
        if steps is not None:
            _require_steps(steps)
        given, size = np.frombuffer(bytes(data), np.uint8), self.manifest.persistent_bytes
        if given.size != size:
            raise InvalidInput("persistent", f"{given.size} bytes", f"this plan keeps {size}: give those of this model")
        for name, entry in self.manifest.state.items():
            if entry.region == "state":
                array = given[entry.offset : entry.offset + entry.bytes].view(entry.dtype)
                finite(f"persistent {name}", array, array.dtype)
        with self._lock, self._alone():
            self._arena[:size] = given
            self._library.restored()
            self._steps = self._steps if steps is None else steps

    def snapshot(self) -> dict[str, np.ndarray]:
        """Everything that learns, as it is stored, bit for bit; copies. For :meth:`restore`, not for PyTorch."""
        with self._lock:
            return {n: self._view(e.offset, e).copy() for n, e in self._learnt().items()}

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
            _require_steps(steps)
            with self._alone():
                for name, entry in own.items():
                    self._view(entry.offset, entry)[...] = snapshot[name]
                self._library.restored()
                self._steps = steps

    def fingerprint(self) -> str:
        """SHA-256 of the weights that this session began with and of the digest of its plan."""
        return hashlib.sha256(self.manifest.digest.encode() + self._weights.tobytes()).hexdigest()

    def _learnt(self) -> dict[str, StateEntry]:
        return {n: e for n, e in self.manifest.state.items() if e.region == "state"}

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
        if status == STORAGE:
            raise StorageFailed(program)
        if status == TORN:
            raise Torn
        if status != OK:
            raise SelvedgeError(f"{program}: status {status} from the native code")

    def _view(self, offset: int, of: Port | StateEntry, weights: bool = False) -> np.ndarray:
        memory = self._weights if weights else self._arena
        return memory[offset : offset + of.bytes].view(of.dtype).reshape(of.shape)

    def _inputs(self, program: str, x: Any) -> dict[str, np.ndarray]:
        """The inputs "x", "x1", ... as they will lie in the arena; nothing is written yet."""
        if program not in self.manifest.programs:
            raise InvalidInput("program", program, f"this plan has {', '.join(self.manifest.programs)}")
        names = [n for n in self.manifest.programs[program].inputs if n not in ("y", "lr")]
        values = (x,) if len(names) == 1 else x
        if not isinstance(values, tuple) or len(values) != len(names):
            given = f"{len(x)} arrays" if isinstance(x, tuple) else "one array"
            raise InvalidInput("x", given, f"this model takes {len(names)}: give them as a tuple")
        return {name: self._read_input(program, name, value) for name, value in zip(names, values, strict=True)}

    def _target(self, program: str, y: Any) -> dict[str, np.ndarray]:
        if "y" not in self.manifest.programs[program].inputs:
            if y is not None:
                raise InvalidInput("y", "given", f"the loss {self.manifest.loss} has no target; leave it out")
            return {}
        if y is None:
            raise InvalidInput("y", "missing", f"the loss {self.manifest.loss} needs a target")
        return {"y": self._read_input(program, "y", y)}

    def _read_input(self, program: str, name: str, value: Any) -> np.ndarray:
        port = self.manifest.programs[program].inputs[name]
        preprocess = self.manifest.preprocess if name == "x" else None
        return laid_out(name, value, port, self.manifest.classes if name == "y" else 0, preprocess)

    def _lay(self, program: str, given: Mapping[str, np.ndarray]) -> None:
        """Write the inputs into the arena."""
        for name, array in given.items():
            port = self.manifest.programs[program].inputs[name]
            self._view(port.offset, port)[...] = array

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


def _require_steps(steps: object) -> None:
    if not isinstance(steps, int) or isinstance(steps, bool) or not 0 <= steps < 1 << 63:
        raise InvalidInput("steps", steps, "give the number of steps taken so far")


def _nan(array: np.ndarray) -> bool:
    return bool(np.isnan(array).any()) if array.dtype.kind == "f" else False
