"""A learner as the microcontroller has it, compiled here with the very step of the session: calls in, state out."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import selvedge as sv
from selvedge.learn.emit.board import load_live
from selvedge.learn.emit.emit import LiveC, emit_live
from selvedge.learn.learner import Learner

HERE = Path(__file__).parent
WARNINGS = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wdouble-promotion", "-Werror"]
STRICT = [*WARNINGS, "-O1", "-ffp-contract=off", "-fsanitize=undefined,address", "-fno-sanitize-recover=all"]


@dataclass(frozen=True)
class Board:
    """A compiled driver of one emitted learner, in a folder of its own."""

    folder: Path
    emitted: LiveC

    def run(self, calls: Sequence[tuple[Any, ...]]) -> tuple[bytes, bytes]:
        """(What each call gave, NAME_live and the persistent bytes of the arena at the end.)"""
        (self.folder / "calls.bin").write_bytes(b"".join(map(encoded, calls)))
        done = subprocess.run(
            [str(self.folder / "driver")], cwd=self.folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return (self.folder / "told.bin").read_bytes(), (self.folder / "state.bin").read_bytes()


def encoded(call: tuple[Any, ...]) -> bytes:
    letter = call[0].encode()
    if call[0] in "lw":
        return bytes(letter + struct.pack("<i", call[2]) + call[1].tobytes())
    if call[0] == "p":
        return bytes(letter + call[1].tobytes())
    return bytes(letter + (struct.pack("<Qi", *call[1:]) if call[0] == "t" else b""))


def artifact(plan: sv.Plan, folder: Path) -> sv.Session:
    """``plan`` emitted into folder/artifact, and a session of it."""
    return sv.load(sv.emit(plan, "c", folder / "artifact"))


def board(learner: Learner, folder: Path, name: str, compiler: Sequence[str] = ("gcc", *STRICT)) -> Board:
    """Emit ``learner``, whose session is of folder/artifact, and compile it with the session's own step."""
    made, manifest = folder / name, learner.session.manifest
    emitted = emit_live(learner, made / "live")
    weights = manifest.weights_bytes
    sample = "float" if learner.memory.dtype == np.float32 else "unsigned char"
    defines = {
        "MODEL": manifest.name, "LIVE_HEADER": f'"{manifest.name}_live.h"', "WEIGHTS_BYTES": weights,
        "WEIGHTS_HEADER": f'"{manifest.name}_weights.h"', "ARENA_BYTES": manifest.arena_bytes,
        "PERSISTENT": manifest.persistent_bytes, "SAMPLE": sample, "CLASSES": manifest.classes,
        "SAMPLE_SIZE": int(np.prod(learner.memory.sample_shape)),
    }  # fmt: skip
    if learner.pending is not None:
        defines["WAITS"] = 1
    command = [*compiler, *(f"-D{n}={v}" for n, v in defines.items()), f"-I{made / 'live'}", f"-I{folder / 'artifact'}"]
    command += [str(HERE / "driver.c"), str(made / "live" / f"{manifest.name}_live.c")]
    command += [str(learner.session._library._dll._name), "-lm", "-o", str(made / "driver")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Board(made, emitted)


def play(learner: Learner, calls: Sequence[tuple[Any, ...]]) -> bytes:
    """The same calls to the learner itself: what the driver would tell."""
    told, tickets = b"", 0
    for call in calls:
        gave = 0
        if call[0] == "p":
            told += np.asarray(learner.predict_one(call[1]).output, np.float32).tobytes()
            continue
        if call[0] == "l":
            refused = learner.tally.refused
            finite = call[1].dtype != np.float32 or np.isfinite(call[1]).all()
            ended = learner.learn_one(call[1], call[2])
            gave = int(ended) if finite else -1
            assert finite or learner.tally.refused == refused + 1
        elif call[0] == "w":
            tickets += 1
            gave = learner.predict_one(call[1], later=True).ticket or 0
            assert gave == tickets
        elif call[0] == "t":
            rounds, there = learner.tally.rounds, learner.label(call[1], call[2])
            gave = int(learner.tally.rounds > rounds) if there else -3
        elif call[0] == "f":
            learner.finish()
        elif call[0] == "r":
            learner.reset()
        told += struct.pack("<i", gave)
    return told


def same_state(ours: Learner, like: Learner, data: bytes) -> list[str]:
    """The names under which ``ours`` and the state of a board differ. ``like``: of the same settings, to load it."""
    load_live(like, data)
    mine, theirs = ours.state_dict(), like.state_dict()
    fresh = int(mine["now"][0])
    for state in (mine, theirs):  # behind the round's own samples lie those of earlier ones
        state["fresh/x"], state["fresh/y"] = state["fresh/x"][:fresh], state["fresh/y"][:fresh]
        del state["diary/text"]
    odd = [n for n in mine if mine[n].tobytes() != theirs[n].tobytes()]
    if list(ours.diary) != list(like.diary) or ours.diary.counts != like.diary.counts:
        odd.append("diary")
    return odd
