"""One model: the step alone, the learner in C, and in Python without and with a journal, in turns in one process."""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np

import selvedge as sv
from selvedge.learn.emit.emit import emit_live
from selvedge.learn.live import Live
from selvedge.learn.stream.sample import Sample

from .models import BATCH, MODELS, RATE, learner, plan, stream

HERE = Path(__file__).parent
FLAGS = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-O2", "-march=native", "-ffp-contract=off", "-fPIC"]
SAMPLES = 16  # of a turn: two rounds
JOURNALS: dict[str, Literal["snapshot", "record"]] = {"journal": "snapshot", "journal, each on the disk": "record"}
Case = dict[str, Any]
CLOCK = time.thread_time  # others use this machine too: what they take does not count
CALLS = (  # of the headers, which are timed
    ("STEPS", "const int32_t status = p->step(at->context)"),
    ("PREDICTIONS", "if (p->predict(at->context)) return -1"),
    ("REPLAY", "sv_live_batch(at, n)"),
    ("REPLAY", "sv_replay_add(&p->held_out, at->held_out, at->held_out_held, x, at->y[i])"),
    ("REPLAY", "sv_replay_add(&p->memory, at->memory, at->memory_held, x, at->y[i])"),
)


def _timed(file: Path, part: str, call: str) -> None:
    """Put the call, which is there once, into a clock."""
    text = file.read_text()
    if text.count(f"{call};") != 1:
        raise ValueError(f"{file.name} has no {call}")
    before, expression = ("", call)
    if "status = " in call:
        before, expression = "int32_t status; ", call.removeprefix("const int32_t ")
    after = ""
    if call.startswith("if ("):
        before, expression, after = "int32_t bad; ", f"bad = {call[4 : call.rindex(')')]}", " if (bad) return -1;"
    file.write_text(text.replace(f"{call};", f"{before}TIMED({part}, {expression});{after}"))


class InC:
    """The emitted learner with a clock round each call of the model."""

    def __init__(self, own: sv.Learner, folder: Path) -> None:
        m, shape = own.session.manifest, own.memory.sample_shape
        emit_live(own, folder / "live")
        step = m.programs["step"].inputs
        values = {
            "MODEL": m.name, "ARENA_BYTES": m.arena_bytes, "BATCH": BATCH, "RATE": f"{RATE}f",
            "LIVE_SOURCE": f'"{m.name}_live.c"', "SAMPLE_SIZE": int(np.prod(shape)), "STEP_X": step["x"].offset,
            "STEP_Y": step["y"].offset, "STEP_RATE": step["lr"].offset,
        }  # fmt: skip
        for part, call in CALLS:
            _timed(next(f for f in sorted((folder / "live").glob("*.h")) if f"{call};" in f.read_text()), part, call)
        made, model = folder / "cost.so", str(own.session._library._dll._name)
        command = ["gcc", *FLAGS, f"-I{folder / 'live'}", f"-I{folder / 'artifact'}"]
        command += [*(f"-D{n}={v}" for n, v in values.items()), str(HERE / "clock.c"), model]
        subprocess.run([*command, "-shared", "-lm", "-o", str(made)], check=True)
        self._dll, self._session = ctypes.CDLL(str(made)), own.session
        self._dll.begin(own.session._weights.ctypes.data_as(ctypes.c_void_p))

    def bare(self, steps: int, x: np.ndarray, y: np.ndarray) -> float:
        """Nanoseconds of a step alone."""
        return float(self._call("bare", steps, x[:BATCH], y[:BATCH])[0]) / steps

    def learn(self, x: np.ndarray, y: np.ndarray) -> dict[str, float]:
        """Nanoseconds in steps, in predictions, in replay, and what is left; how many steps. What the clock takes, half
        of it within a part, is taken off."""
        found = self._call("learn", len(x), x, y).astype(np.float64)
        look, calls = found[7] / 1000, found[2:7:2]
        spent = found[1:7:2] - look * calls
        own = found[0] - spent.sum() - 2 * look * calls.sum()
        return dict(zip(("step", "predict", "replay", "own", "steps"), [*spent, own, calls[0]], strict=True))

    def _call(self, name: str, n: int, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        out = np.zeros(8, np.uint64)
        arrays = [np.ascontiguousarray(x), np.ascontiguousarray(y, np.int32), out]
        getattr(self._dll, name)(n, *(a.ctypes.data_as(ctypes.c_void_p) for a in arrays))
        return out


class InPython:
    """A learner whose calls of the model, and of what replays, are timed; ``feed`` takes a sample."""

    def __init__(self, own: sv.Learner, feed: Callable[[np.ndarray, int, int], object]) -> None:
        self._feed, self._spent = feed, {"step": 0.0, "predict": 0.0, "replay": 0.0}
        self._fed = self._calls = 0
        lessons, memories = own._candidate.lessons, (own.memory, own.held_out)
        for of, name, part in (
            (own.session, "step", "step"),
            (own.session, "predict", "predict"),
            (lessons, "batch", "replay"),
            *((memory, "add", "replay") for memory in memories),
        ):
            setattr(of, name, self._timed(getattr(of, name), part))

    def _timed(self, call: Callable[..., Any], part: str) -> Callable[..., Any]:
        def timed(*given: Any, **named: Any) -> Any:
            start = CLOCK()
            try:
                return call(*given, **named)
            finally:
                self._spent[part] += CLOCK() - start
                self._calls += 1

        return timed

    def learn(self, x: np.ndarray, y: np.ndarray) -> dict[str, float]:
        """Microseconds a sample: in all, in steps, in predictions, in replay, and what is left."""
        self._spent.update(step=0.0, predict=0.0, replay=0.0)
        self._calls = 0
        look = _look()
        start = CLOCK()
        for sample, label in zip(x, y, strict=True):
            self._feed(sample, int(label), self._fed)
            self._fed += 1
        total = CLOCK() - start
        own = total - sum(self._spent.values()) - look * self._calls  # of two looks at the clock one is within the call
        parts = {"total": total, **self._spent, "own": own}
        return {name: value / len(x) * 1e6 for name, value in parts.items()}


def _look() -> float:
    """Seconds of a look at the clock."""
    start = CLOCK()
    for _ in range(100):
        CLOCK()
    return (CLOCK() - start) / 100


def study(name: str, turns: int, epochs: int, folder: Path | None = None) -> Case:
    """The figures of each turn of ``MODELS[name]``."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as temporary:
        at = folder or Path(temporary)
        artifact = sv.emit(plan(name, epochs), "c", at / "artifact")

        def fresh() -> sv.Learner:
            return learner(name, sv.load(artifact))

        in_c, alone = InC(fresh(), at), fresh()
        players = {"alone": InPython(alone, lambda x, y, _: alone.learn_one(x, y))}
        journals = [sv.Journal(at / sync, 64 << 20, sync) for sync in JOURNALS.values()]
        try:
            for journal, title in zip(journals, JOURNALS, strict=True):
                own = fresh()
                players[title] = InPython(own, _fed_by(Live(own, journal)))
            turns_of: list[Case] = []
            x, y = stream(name, SAMPLES * (turns + 1))
            for turn in range(turns + 1):  # the first warms up
                part = slice(turn * SAMPLES, (turn + 1) * SAMPLES)
                before = in_c.bare(SAMPLES * 4, x[part], y[part])
                found: Case = {"c": in_c.learn(x[part], y[part])}
                found["bare"] = (before + in_c.bare(SAMPLES * 4, x[part], y[part])) / 2
                found |= {title: player.learn(x[part], y[part]) for title, player in players.items()}
                turns_of += [found] if turn else []
        finally:
            for journal in journals:
                journal.close()
    return {"model": name, "shape": list(MODELS[name].shape), "turns": turns_of, "seconds": time.perf_counter() - began}


def _fed_by(live: Live) -> Callable[[np.ndarray, int, int], object]:
    return lambda x, y, number: live.feed(Sample(number, float(number), x, y))
