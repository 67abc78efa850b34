"""LiteRT: a signature a program in one file; state lies in its resource variables.

A file with int8 in it runs by LiteRT's own kernels, without XNNPACK, whose int8 results differ (docs/litert.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...artifact.litert import RESTORE, SAVE, signature_of
from ...artifact.manifest import Manifest, Port
from ...errors import InvalidInput, one_line
from .said import said

EMIT = "emit it again"


def opened(manifest: Manifest, contents: Mapping[str, bytes], state: Mapping[str, np.ndarray]) -> Signatures:
    """Raises :class:`InvalidInput` for a file that LiteRT does not take, or whose signatures are not the manifest's."""
    (file,) = {program.file for program in manifest.programs.values()}
    try:
        with said():  # it announces XNNPACK
            interpreter = _interpreter(contents[file])
            interpreter.allocate_tensors()
            found = interpreter.get_signature_list()
    except Exception as error:  # of a broken file it raises kinds of its own
        raise InvalidInput("artifact file", file, f"LiteRT refuses it: {_first(error)}") from None
    runners = {}
    for name, entry in manifest.programs.items():
        wanted = signature_of(name)
        if wanted not in found:
            raise InvalidInput("artifact file", file, f"it has no signature {wanted}: {EMIT}")
        runners[name] = interpreter.get_signature_runner(wanted)
        _same(file, wanted, entry.inputs, runners[name].get_input_details())
        _same(file, wanted, entry.outputs, runners[name].get_output_details())
    learns = {n: Port(0, e.shape, e.dtype, None) for n, e in manifest.state.items() if e.region == "state"}
    save = restore = None
    if learns:
        if SAVE not in found or RESTORE not in found:
            raise InvalidInput("artifact file", file, f"it has no signatures {SAVE} and {RESTORE}: {EMIT}")
        save, restore = interpreter.get_signature_runner(SAVE), interpreter.get_signature_runner(RESTORE)
        _same(file, SAVE, learns, save.get_output_details())
        _same(file, RESTORE, learns, restore.get_input_details())
    return Signatures(runners, save, restore, {n: a for n, a in state.items() if n not in learns})


def _interpreter(model: bytes) -> Any:
    """With XNNPACK, where nothing is int8."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    made = Interpreter(model_content=model, experimental_op_resolver_type=plain, num_threads=1)
    if any(d["dtype"] is np.int8 for d in made.get_tensor_details()):
        return made
    return Interpreter(model_content=model, experimental_op_resolver_type=OpResolverType.BUILTIN, num_threads=1)


def _same(file: str, signature: str, ports: Mapping[str, Port], details: Mapping[str, Mapping[str, Any]]) -> None:
    wanted = {name: (port.shape, np.dtype(port.dtype)) for name, port in ports.items()}
    found = {name: (tuple(int(n) for n in d["shape"]), np.dtype(d["dtype"])) for name, d in details.items()}
    if wanted != found:
        odd = next(n for n in (*wanted, *found) if wanted.get(n) != found.get(n))
        raise InvalidInput("artifact file", file, f"its {signature} differs from the manifest in {odd}: {EMIT}")


class Signatures:
    """Variables are read by ``save`` and written by ``restore``, all at once: what is asked or given of them one by one
    is held here meanwhile. ``fixed``: state that is part of the file."""

    def __init__(self, runners: Mapping[str, Any], save: Any, restore: Any, fixed: Mapping[str, np.ndarray]) -> None:
        self._runners, self._save, self._restore = dict(runners), save, restore
        self._fixed = {name: np.array(array) for name, array in fixed.items()}
        self._held: dict[str, np.ndarray] | None = None
        self._given = False  # what is held was changed: the variables are not yet

    def run(self, program: str, given: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        if self._given and self._held is not None:
            _called(self._restore, self._held)
        self._given, self._held = False, None
        return _called(self._runners[program], given)

    def keep(self) -> None:
        """The step replaced its variables itself, and only where what guards them was finite."""

    def fetch(self, name: str) -> np.ndarray:
        return (self._fixed[name] if name in self._fixed else self._variables()[name]).copy()

    def place(self, name: str, array: np.ndarray) -> None:
        if name in self._fixed:
            if not np.array_equal(self._fixed[name], array):
                fix = "it does not learn, and is part of the .tflite file: emit it again with learnt=..."
                raise InvalidInput("state", name, fix)
            return
        self._variables()[name] = np.array(array)
        self._given = True

    def _variables(self) -> dict[str, np.ndarray]:
        if self._held is None:
            self._held = _called(self._save, {})
        return self._held


def _called(runner: Any, given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    try:
        return {name: np.asarray(array) for name, array in runner(**given).items()}
    except Exception as error:  # kinds of its own
        raise RuntimeError(_first(error)) from None


def _first(error: Exception) -> str:
    return one_line(str(error))[:200]
