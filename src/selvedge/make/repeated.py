"""A planned prediction that is called again and again within C: what it takes without a call from Python each."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..artifact.schedule import Constant
from ..emitting.c import Bundle, Description, bundle
from ..errors import SelvedgeError
from ..planning.schedule import Arrangement
from ..run.build import build
from ..run.library import OK, Library, aligned


class Repeated:
    """The program "predict" of an arrangement without state, compiled for this machine.

    ``inputs``, ``outputs``: where they lie, as they are stored. Raises ``NoCompiler`` and ``BuildFailed``.
    """

    def __init__(self, plan: Arrangement, name: str = "model", cache: str | Path | None = None) -> None:
        made: Bundle = bundle(plan, {}, Description(name, {}, {}, (), Constant(0.0), None, {}))
        loop = (
            f'#include "{name}.h"\n'
            f"int32_t {name}_repeat({name}_context *c, int32_t times);\n"
            f"int32_t {name}_repeat({name}_context *c, int32_t times)\n{{\n"
            "    int32_t status = 0;\n"
            f"    while (times-- > 0 && status == 0) status = {name}_predict(c);\n"
            "    return status;\n}\n"
        )
        path = build({**made.sources, "repeat.c": loop}, plan.lanes, plan.dtype, cache=cache)
        weights, arena = aligned(max(1, len(made.weights))), aligned(max(1, plan.memory.arena))
        weights[: len(made.weights)] = np.frombuffer(made.weights, np.uint8)
        self._code = Library(path, name, plan.programs, arena, weights)
        self._code.init()
        self._repeat = getattr(self._code.dll(), f"{name}_repeat")
        self._repeat.argtypes, self._repeat.restype = (ctypes.c_void_p, ctypes.c_int32), ctypes.c_int32
        p = plan.programs["predict"]

        def views(ports: Mapping[str, int]) -> dict[str, np.ndarray]:
            found = {}
            for port, i in ports.items():
                spec = p.instances[i].spec
                found[port] = arena[p.offsets[i] : p.offsets[i] + spec.bytes].view(spec.dtype).reshape(spec.shape)
            return found

        self.inputs, self.outputs = views(p.inputs), views(p.outputs)

    def __call__(self, times: int = 1) -> None:
        """Predict; a prediction may write over its inputs, so that the next one has others."""
        status = self._repeat(self._code.address, times)
        if status != OK:
            raise SelvedgeError(f"the native code refuses its input with status {status}")

    def seconds(self, least: float) -> tuple[int, float]:
        """(calls that last ``least`` seconds together, seconds of one of them)."""
        times = 1
        while True:
            start = time.process_time()
            self(times)
            took = time.process_time() - start
            if took >= least or times >= 1 << 24:
                return times, took / times
            times = max(2 * times, int(times * least / max(took, 1e-9)))
