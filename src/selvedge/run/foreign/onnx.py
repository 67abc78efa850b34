"""ONNX Runtime: a model a program, state in and state out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...artifact.manifest import Manifest, ProgramEntry
from ...artifact.targets import NEW
from ...errors import InvalidInput, one_line

TYPES = {"tensor(float)": "float32", "tensor(double)": "float64"} | {
    f"tensor({name})": name for name in ("int8", "uint8", "int16", "int32", "int64", "bool")
}
"""ONNX Runtime's name of a type -> ours."""


def opened(manifest: Manifest, contents: Mapping[str, bytes], state: Mapping[str, np.ndarray]) -> Sessions:
    """A session of ONNX Runtime for each program. Raises :class:`InvalidInput` for a model that it does not take."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.qdqisint8allowed", "1")  # int8 stays int8 on x64: docs/onnx.md
    options.log_severity_level = 4  # what it logs as an error it raises too
    made = {}
    for name, program in manifest.programs.items():
        try:
            made[name] = onnxruntime.InferenceSession(contents[program.file], options, ["CPUExecutionProvider"])
        except Exception as error:  # of a broken model it raises kinds of its own
            raise InvalidInput("artifact file", program.file, f"ONNX Runtime refuses it: {_first(error)}") from None
        odd = _odd(manifest, program, made[name])
        if odd is not None:
            fix = f"its {odd} is not what the manifest says: emit it again"
            raise InvalidInput("artifact file", program.file, fix)
    return Sessions(made, state)


def _odd(manifest: Manifest, program: ProgramEntry, session: Any) -> str | None:
    """The first array of the model that is missing, or of another shape or type than in the manifest."""
    state = {n: (e.shape, e.dtype) for n, e in manifest.state.items()}
    new = {f"{n}{NEW}": state[n] for n, e in manifest.state.items() if e.region == "state"}
    ways = (
        (program.inputs, state, (*session.get_inputs(), *session.get_overridable_initializers())),
        (program.outputs, new, session.get_outputs()),
    )
    for ports, others, arrays in ways:
        own = {n: (p.shape, p.dtype) for n, p in ports.items()}
        found = {str(a.name): (tuple(a.shape), TYPES.get(a.type)) for a in arrays}
        for name in (*own, *found):
            if name not in found or found[name] != (own[name] if name in own else others.get(name)):
                return name
    return None


class Sessions:
    """State lies here, as PyTorch has it, and is given to each run; what a program makes new replaces it."""

    def __init__(self, sessions: Mapping[str, Any], state: Mapping[str, np.ndarray]) -> None:
        self._sessions = dict(sessions)
        self._state = {name: np.array(array) for name, array in state.items()}
        self._takes = {name: [i.name for i in s.get_inputs()] for name, s in sessions.items()}
        for name, session in sessions.items():  # a state array that does not learn is a constant that may be given
            self._takes[name] += [i.name for i in session.get_overridable_initializers() if i.name in self._state]
        self._gives = {name: [o.name for o in s.get_outputs()] for name, s in sessions.items()}
        self._new: dict[str, np.ndarray] = {}

    def run(self, program: str, given: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        feeds = {name: given[name] if name in given else self._state[name] for name in self._takes[program]}
        try:
            made = self._sessions[program].run(None, feeds)
        except Exception as error:
            raise RuntimeError(_first(error)) from None
        results = dict(zip(self._gives[program], made, strict=True))
        self._new = {n.removesuffix(NEW): a for n, a in results.items() if n.removesuffix(NEW) in self._state}
        return results

    def keep(self) -> None:
        self._state.update(self._new)
        self._new = {}

    def fetch(self, name: str) -> np.ndarray:
        return self._state[name].copy()

    def place(self, name: str, array: np.ndarray) -> None:
        self._state[name] = np.array(array)


def _first(error: Exception) -> str:
    return one_line(str(error))[:200]
