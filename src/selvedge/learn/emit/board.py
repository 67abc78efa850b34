"""What a board has learnt, put into a learner: NAME_live as it lay in its RAM."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput
from ..diary import Diary
from ..learner import Learner
from .layout import ENTRY, KINDS, learning, struct
from .told import told

Array = npt.NDArray[Any]


def load_live(learner: Learner, data: bytes) -> None:
    """Go on from the bytes of a board's NAME_live, which :func:`emit_live` made of a learner with the same settings:
    weights, memory, evidence and diary. All or nothing.

    Raises ``InvalidInput`` for another number of bytes, and for what no learner of these settings can be.
    """
    found = _struct(learner, data)
    state, live = learner.state_dict(), found["live"]
    try:
        if not live["judge"]["candidate"] or not live["ticket"]:
            raise ValueError("of a board that has not begun")
        state |= _copies(learner, found) | _numbers(live)
        state |= _memory(found["memory"], learner.memory.state_dict(), "memory")
        if learner.held_out is not None:
            state |= _memory(found["held_out"], learner.held_out.state_dict(), "held")
        for name, into in (("x", "fresh/x"), ("y", "fresh/y")):
            state[into] = np.frombuffer(found[name].tobytes(), state[into].dtype).reshape(state[into].shape)
        if learner.pending is not None:
            waiting = state["pending/samples"]
            state["pending/samples"] = np.frombuffer(found["waiting"].tobytes(), waiting.dtype).reshape(waiting.shape)
            state["pending/tickets"], state["pending/next"] = found["tickets"].copy(), np.array(int(live["ticket"]))
        state["diary/text"] = _diary(learner, found)
    except (IndexError, ValueError, OverflowError):
        raise InvalidInput("live", "damaged", "give the bytes of a whole NAME_live") from None
    learner.load_state_dict(state)


def _struct(learner: Learner, data: bytes) -> Any:
    """``data`` by field. How long the diary is, its length tells."""
    if not isinstance(data, bytes | bytearray | memoryview):
        raise InvalidInput("live", f"of type {type(data).__name__}", "give the bytes of a NAME_live")
    size, one = len(bytes(data)), struct(learner, 1).itemsize
    entries = 1 + (size - one) // ENTRY.itemsize
    if entries < 1 or struct(learner, entries).itemsize != size:
        fix = f"this learner's takes {one - ENTRY.itemsize:,} and {ENTRY.itemsize} an entry of its diary"
        raise InvalidInput("live", f"{size:,} bytes", fix)
    return np.frombuffer(bytes(data), struct(learner, entries))[0]


def _copies(learner: Learner, found: Any) -> dict[str, Array]:
    """The copies, and what predicts, which is the part of the way that was committed."""
    began, live, state = learner._candidate.copies.began, found["live"], {}
    blend = int(live["deployed"])
    share = None if blend < 0 else learner.habits.blends[blend]
    at = 0
    for name, entry, kind in learning(learner.session.manifest):
        for copy in ("candidate", "grown"):
            part = found[copy].tobytes()[at : at + entry.bytes]
            state[f"{copy}/{name}"] = np.frombuffer(part, entry.dtype).reshape(entry.shape)
        end, start = state[f"grown/{name}"], began.arrays[name]
        if share is None:
            state[f"deployed/{name}"] = start
        else:
            part_of = (start + (end - start) * end.dtype.type(share)) if kind == "SV_BLENDED" and share < 1 else end
            state[f"deployed/{name}"] = part_of.astype(end.dtype)
        at += entry.bytes
    for copy, steps in (("candidate", "candidate_steps"), ("grown", "grown_steps"), ("deployed", "grown_steps")):
        state[f"{copy}.steps"] = np.array(began.steps + (int(live[steps]) if copy != "deployed" or blend >= 0 else 0))
    return state


def _numbers(live: Any) -> dict[str, Array]:
    judge, spike = live["judge"], live["spike"]
    count = [judge[n] for n in ("candidate", "refusals", "credit")]
    tally = [live[n] for n in ("seen", "right", "loss", "steps", "rounds", "commits", "refused", "late")]
    now = [live["fresh"], 0, live["trained"], live["since"], live["blend"], live["grown_blend"], 0]
    return {
        "judge/log": judge["log"].copy(),
        "judge/answers": judge["answers"].copy(),
        "judge/told": np.array([judge["told"]]),
        "judge/count": np.array(count, np.float64),
        "spike/ring": spike["ring"].copy(),
        "spike/seen": np.array([spike["seen"]], np.uint32),
        "tally": np.array(tally, np.float64),
        "now": np.array(now, np.float64),
        "draws": np.array(int(live["draws"])),
    }


def _memory(data: Array, like: dict[str, Array], name: str) -> dict[str, Array]:
    """A memory's state: its arrays lie one after another."""
    at, state = 0, {}
    for part, array in like.items():
        raw = data[at : at + array.nbytes].tobytes()
        state[f"{name}/{part}"] = np.frombuffer(raw, array.dtype).reshape(array.shape)
        at += array.nbytes
    return state


def _diary(learner: Learner, found: Any) -> Array:
    live, made = found["live"], Diary(learner.diary.limit)
    margin = 0.0 if learner.anchor is None else learner.anchor.margin
    for entry in told(found["diary"], int(live["entries"]), learner.habits, margin):
        made.write(entry.sample, entry.kind, entry.why)
    made.counts = {kind: int(n) for kind, n in zip(KINDS, live["kinds"], strict=True) if n}
    return made.state_dict()["text"]
