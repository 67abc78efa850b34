"""What a session's programs take and give, by its manifest; what runs them is another's concern."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import RLock
from typing import Any

import numpy as np

from ..artifact.arrays import seen
from ..artifact.manifest import Manifest
from ..artifact.sound import face, kind_and_size
from ..errors import InvalidInput, SelvedgeError
from .given import laid_out

NAMED = 6  # shapes that a refusal lists


class NotFinite(SelvedgeError):
    """What a program computed is NaN, or its loss or its gradients' norm infinite. Nothing was updated; of
    micro-batches, nothing was added to those before."""

    def __init__(self, loss: float, program: str = "step", norm: float | None = None) -> None:
        if norm is not None and np.isfinite(loss):
            what = f"the gradients' norm is {norm}: the {program} was refused and nothing was updated"
        elif program in ("step", "accumulate"):
            done = "updated" if program == "step" else "added"
            what = f"loss is {loss}: the {program} was refused and nothing was {done}"
        else:
            what = f"{program} gives {loss}"
        super().__init__(
            f"{what}; if it stays so, an earlier step has broken the state: load a good one, then lower the learning "
            "rate or scale the input"
        )
        self.loss = loss


class Ports(ABC):
    """Inputs checked, programs chosen by shape; the rest is what a runtime does: native code in an arena
    (:class:`Calls`), or another's."""

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest
        self._sizes: dict[str, dict[tuple[tuple[int, ...], ...], str]] = {}
        for program in manifest.programs:
            shapes = tuple(face(manifest.programs[program].inputs[name]) for name in self._names(program))
            self._sizes.setdefault(kind_and_size(program)[0], {})[shapes] = program
        self._lock = RLock()
        self._busy = False

    @abstractmethod
    def _lay(self, program: str, given: Mapping[str, np.ndarray]) -> None:
        """Hand the inputs, as they are stored, to ``program``."""

    @abstractmethod
    def _run(self, program: str) -> None:
        """Run it on what was laid: its results can be read, its state is the new one; on an error the old."""

    @abstractmethod
    def _output(self, program: str, name: str) -> np.ndarray:
        """A result of the last run, in PyTorch's order of axes; a copy."""

    @abstractmethod
    def _fetched(self, name: str) -> np.ndarray:
        """State ``name`` as it is stored; a copy."""

    @abstractmethod
    def _placed(self, name: str, array: np.ndarray) -> None:
        """Replace state ``name`` by ``array``, of its stored shape and dtype."""

    @property
    def _torn(self) -> bool:
        """Whether an update broke off in its middle, and nothing has been restored since."""
        return False

    @abstractmethod
    def _restored(self) -> None:
        """A good state is back: programs run again."""

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

    def _of_size(self, kind: str, x: Any) -> str:
        """The program of this ``kind`` for inputs of the shapes of ``x``; the largest's where there is none smaller.

        Raises :class:`InvalidInput` for shapes that are none of the plan's, where it has several.
        """
        programs = self._sizes.get(kind, {})
        if len(programs) < 2:
            return kind
        values = x if isinstance(x, tuple) else (x,)
        found = tuple(seen(f"input x{i or ''}", value).shape for i, value in enumerate(values))
        if found not in programs:
            known = [shapes[0] if len(shapes) == 1 else shapes for shapes in sorted(programs)]
            names = ", ".join(map(str, known if len(known) <= NAMED else [*known[: NAMED - 1], "...", known[-1]]))
            given = found[0] if len(found) == 1 else found
            raise InvalidInput("input x", f"of shape {given}", f"this plan runs {names}")
        return programs[found]

    def _inputs(self, program: str, x: Any) -> dict[str, np.ndarray]:
        """The inputs "x", "x1", ... as they will lie in the arena; nothing is written yet."""
        if program not in self.manifest.programs:
            raise InvalidInput("program", program, f"this plan has {', '.join(self.manifest.programs)}")
        names = self._names(program)
        values = (x,) if len(names) == 1 else x
        if not isinstance(values, tuple) or len(values) != len(names):
            given = f"{len(x)} arrays" if isinstance(x, tuple) else "one array"
            raise InvalidInput("x", given, f"this model takes {len(names)}: give them as a tuple")
        return {name: self._read_input(program, name, value) for name, value in zip(names, values, strict=True)}

    def _names(self, program: str) -> list[str]:
        """The model's own inputs."""
        return [n for n in self.manifest.programs[program].inputs if n not in ("y", "lr")]

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
        target = name == "y"
        probabilities = target and self.manifest.loss == "BCEWithLogits"
        return laid_out(name, value, port, self.manifest.classes if target else 0, preprocess, probabilities)

    def _outputs(self, program: str) -> Any:
        """What the model returns: an array, or a tuple of them."""
        names = [n for n in self.manifest.programs[program].outputs if n not in ("loss", "norm")]
        arrays = tuple(self._output(program, n) for n in names)
        return arrays[0] if len(arrays) == 1 else arrays

    def _loss(self, program: str) -> float:
        return float(self._output(program, "loss").item())

    def _read(self, name: str) -> np.ndarray:
        """State ``name`` in PyTorch's order of axes."""
        entry, array = self.manifest.state[name], self._fetched(name)
        return np.array(entry.layout.restore(array)) if entry.layout else array

    def _store(self, name: str, array: np.ndarray) -> None:
        """The same way back."""
        layout = self.manifest.state[name].layout
        self._placed(name, layout.store(array) if layout else array)
