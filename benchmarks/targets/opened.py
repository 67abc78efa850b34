"""An artifact opened on one thread, and one call of its program, as the two processes of a cell make it. No torch."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import selvedge as sv
from selvedge.artifact.manifest import Manifest
from selvedge.run.foreign.executorch import Forward, library
from selvedge.run.foreign.litert_micro import Micro
from selvedge.run.foreign.session import ForeignSession

RESET = "_ZN10executorch9extension10threadpool10ThreadPool24_unsafe_reset_threadpoolEj"
POOL = "_ZN10executorch9extension10threadpool14get_threadpoolEv"


def opened(folder: Path) -> Any:
    """The session of an artifact. Each runtime is asked for one thread where our sessions leave that to it."""
    target = Manifest.from_json((folder / "manifest.json").read_text(), str(folder)).target
    os.environ["TVM_NUM_THREADS"] = "1"
    if target != "pt2" and "torch" not in sys.modules:
        sys.modules["torch"] = None  # type: ignore[assignment]  # as where it is not installed: TVM would import it
    if target == "onnx":
        _onnx_alone()
    elif target.startswith("executorch"):
        _executorch_alone()
    elif target == "pt2":
        if sys.modules.get("torch", ...) is None:
            del sys.modules["torch"]  # hidden for ours, which was opened first
        import torch

        torch.set_num_threads(1)
    return sv.load(folder)


def call(session: Any, x: np.ndarray, y: np.ndarray | None, rate: float | None) -> Callable[[], None]:
    """One run of ``predict``, or of ``step`` at ``rate``: the arrays handed to the runtime, the run, its results taken.
    What a session looks at before and behind that, which is the same for all, is left out."""
    program = "predict" if rate is None else "step"
    inputs = session._inputs(program, x)
    if rate is not None:
        inputs = {**inputs, **session._target(program, y), "lr": session._rate(rate)}

    def run() -> None:
        session._lay(program, inputs)
        session._run(program)

    return run


def data(folder: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """x, and y where it learns of labels."""
    arrays = np.load(folder / "data.npz")
    return arrays["x"], arrays["y"] if "y" in arrays.files else None


def told(session: Any) -> dict[str, int]:
    """What a runtime says of its memory for activations: exact for ours; else what its own allocator or planner has."""
    if not isinstance(session, ForeignSession):
        return {"arena": session.arena_bytes}
    engine: Any = session._engine
    if isinstance(engine, Micro):
        return {"arena": engine.arena_bytes}
    if session.manifest.target == "executorch" and "step" not in session.manifest.programs:
        return {}  # XNNPACK's memory is its own, and the runtime is not told of it
    calls = [c for c in getattr(engine, "_calls", {}).values() if isinstance(c, Forward)]
    return {"arena": max(c.arena_bytes for c in calls)} if calls else {}


def _onnx_alone() -> None:
    import onnxruntime

    class Alone(onnxruntime.SessionOptions):
        def __init__(self) -> None:
            super().__init__()
            self.intra_op_num_threads = 1

    onnxruntime.SessionOptions = Alone


def _executorch_alone() -> None:
    """The pool of its C++ runtime, made of one thread: what its header calls ``_unsafe_reset_threadpool``."""
    pool = ctypes.CDLL(str(next(p for p in _loaded(library()) if "executorch_threadpool" in p)))
    get, reset = pool[POOL], pool[RESET]
    get.restype, reset.restype = ctypes.c_void_p, ctypes.c_bool
    reset(ctypes.c_void_p(get()), ctypes.c_uint(1))


def _loaded(of: ctypes.CDLL) -> list[str]:
    lines = Path("/proc/self/maps").read_text().splitlines()
    return [line.split()[-1] for line in lines if "/" in line]
