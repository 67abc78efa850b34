"""Two artifacts of one plan, end to end: what both predict, the loss, and what three steps make of the state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...artifact.manifest import Manifest
from ...errors import InvalidInput
from ...run.artifact import load
from ...run.learning import Learning
from .said import Difference, Verified, apart, drawn, verified

STEPS = 3


def beside(folder: Path, other: Path, seed: int, within: float) -> tuple[Verified, ...]:
    """within: what is allowed, of the largest number of a result; a step on the mean, of integers."""
    here, there = load(folder), load(other)
    _require_alike(here.manifest, there.manifest, other)
    note = f"end to end, {here.manifest.target} beside {there.manifest.target}"
    found = [_told("state", _state(here), _state(there), within, note)] if here.manifest.state else []
    rng = np.random.default_rng(seed)
    programs = here.manifest.programs
    if "predict" in programs:
        x, _ = _given(here.manifest, "predict", rng, 1)
        ours, theirs = (_outputs(session.predict(x)) for session in (here, there))
        found.append(_told("predict", ours, theirs, within, note))
    if "evaluate" in programs:
        x, y = _given(here.manifest, "evaluate", rng, 1)
        ours, theirs = (_evaluated(session, x, y) for session in (here, there))
        found.append(_told("evaluate", ours, theirs, within, note))
    learns = next((name for name in ("step", "accumulate") if name in programs), None)
    if learns is not None:
        ours, theirs = {}, {}
        for step in range(1, STEPS + 1):
            x, y = _given(here.manifest, learns, rng, here.manifest.accumulate)
            for session, results in ((here, ours), (there, theirs)):
                results |= {f"loss of step {step}": np.array(session.step(x, y, lr=0.01))}
        ours, theirs = ours | _state(here), theirs | _state(there)
        found.append(_told(f"{STEPS} steps", ours, theirs, within, note))
    return tuple(found)


def _require_alike(here: Manifest, there: Manifest, other: Path) -> None:
    def faces(m: Manifest) -> dict[str, Any]:
        ports = {
            (program, name): (port.layout.face if port.layout else port.shape, port.dtype)
            for program in ("predict", "evaluate", "step", "accumulate") if program in m.programs
            for name, port in {**m.programs[program].inputs, **m.programs[program].outputs}.items()
            if name == "output" or name.startswith(("x", "y"))
        }  # fmt: skip
        state = {name: (e.layout.face if e.layout else e.shape) for name, e in m.state.items()}
        return {"ports": ports, "shapes": state, "loss": m.loss, "micro-batches": m.accumulate}

    ours, theirs = faces(here), faces(there)
    for what in ours:
        if ours[what] != theirs[what]:
            fix = f"its {what} differ: give the same plan emitted for another target, as c"
            raise InvalidInput("--beside", str(other), fix)


def _state(session: Learning) -> dict[str, np.ndarray]:
    learnt = {**session.state_dict(), **session.optimizer_state_dict()}
    return {name: np.asarray(array) for name, array in learnt.items()}


def _given(manifest: Manifest, program: str, rng: np.random.Generator, times: int) -> tuple[Any, Any]:
    """x and y as PyTorch has them, of so many micro-batches."""
    parts = [drawn(manifest, program, rng) for _ in range(times)]
    ports = manifest.programs[program].inputs
    whole = {}
    for name, port in ports.items():
        if name != "lr":
            arrays = [port.layout.restore(part[name]) if port.layout else part[name] for part in parts]
            whole[name] = np.concatenate(arrays) if times > 1 else arrays[0]
    xs = tuple(array for name, array in whole.items() if name != "y")
    return xs if len(xs) > 1 else xs[0], whole.get("y")


def _outputs(output: Any) -> dict[str, np.ndarray]:
    parts = output if isinstance(output, tuple) else (output,)
    return {f"output{n or ''}": np.asarray(part) for n, part in enumerate(parts)}


def _evaluated(session: Learning, x: Any, y: Any) -> dict[str, np.ndarray]:
    loss, output = session.evaluate(x, y)
    return {"loss": np.array(loss), **_outputs(output)}


def _told(
    program: str, ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray], within: float, note: str
) -> Verified:
    found, allowed = list[Difference](), list[float]()
    for index, (name, array) in enumerate(ours.items()):
        want = theirs.get(name)
        if want is not None and array.dtype.kind != "f" and array.shape == want.shape:
            far, most = float(np.abs(array.astype(np.int64) - want.astype(np.int64)).mean()), 1.0
        else:
            far, most = float("inf") if want is None else apart(array, want), within
        found.append(Difference(index, name, far))
        allowed.append(most)
    return verified(program, found, allowed, "result", note)
