"""The struct that holds a learner on a board, field by field: as C lays it out where a double is aligned to 8."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...artifact.manifest import Manifest, StateEntry
from ..learner import Learner
from ..memory.replay import Replay
from .sample import replay

KINDS = ("committed", "dropped", "refused", "reset")  # as SV_COMMITTED to SV_RESET

ENTRY = np.dtype([("a", "f8"), ("b", "f8"), ("sample", "u4"), ("n", "u4"), ("kind", "i4"), ("why", "i4")], align=True)
JUDGE = np.dtype(
    [
        ("log", "f8", 4), ("credit", "f8"), ("told", "f8"), ("candidate", "u4"), ("refusals", "u4"),
        ("answers", "u4", 4), ("roomy", "i4"),
    ],
    align=True,
)  # fmt: skip
SPIKE = np.dtype([("ring", "f4", 8), ("seen", "u4")], align=True)
LIVE = np.dtype(
    [
        ("judge", JUDGE), ("seed", "u8"), ("draws", "u8"), ("loss", "f8"), ("ticket", "u8"), ("spike", SPIKE),
        *((name, "u4") for name in ("seen", "right", "steps", "rounds", "commits", "refused", "late")),
        *((name, "i4") for name in ("fresh", "trained", "blend", "grown_blend", "deployed")),
        *((name, "u4") for name in ("since", "candidate_steps", "grown_steps", "entries")), ("kinds", "u4", len(KINDS)),
    ],
    align=True,
)  # fmt: skip

# What C calls a dtype, and what a member's bytes are of in the learner's own account.
NAMES = {"f8": "double", "u8": "uint64_t", "u4": "uint32_t", "i4": "int32_t", "u1": "unsigned char"}
PARTS = {
    "live": "counts", "losses": "round", "knows": "round", "ours": "round", "odds": "round", "y": "round", "x": "round",
    "sample": "round", "rights": "round", "tickets": "pending", "waiting": "pending", "diary": "diary",
    "memory": "memory", "memory_held": "memory", "held_out": "held out", "held_out_held": "held out",
    "candidate": "copies", "grown": "copies", "began": "judge",
}  # fmt: skip


def learning(manifest: Manifest) -> list[tuple[str, StateEntry, str]]:
    """What learns, as it lies in a copy: name, entry, and which kind the C calls it. Floats first: they are aligned."""
    found = []
    for name, entry in manifest.state.items():
        kind = "SV_OF_OPTIMISER" if not entry.of_model else "SV_OF_MODEL" if entry.dtype != "float32" else "SV_BLENDED"
        if entry.region == "state":
            found.append((name, entry, kind))
    return sorted(found, key=lambda one: one[2] != "SV_BLENDED")


def struct(learner: Learner, entries: int) -> np.dtype[Any]:
    """Of ``NAME_live``; ``entries``: of its diary."""
    manifest, habits, memory = learner.session.manifest, learner.habits, learner.memory
    every, classes, of_each = habits.every, manifest.classes, int(np.prod(memory.sample_shape)) * memory.dtype.itemsize
    copy = -(-sum(entry.bytes for _, entry, _ in learning(manifest)) // 4) * 4
    fields: list[tuple[str, Any, int]] = [("live", LIVE, 1), ("diary", ENTRY, entries)]
    fields += [("losses", "f8", every), ("knows", "f8", every), ("ours", "f8", every), ("odds", "f8", classes)]
    if learner.pending is not None:
        fields.append(("tickets", "u8", learner.pending.capacity))
    for name, held in (("memory_held", learner.memory), ("held_out_held", learner.held_out)):
        if held is not None:
            assert isinstance(held, Replay), "another kind of memory was refused"
            fields.append((name, "u4", held.classes))
    fields += [("y", "i4", every), ("candidate", "u1", copy), ("grown", "u1", copy)]
    fields += [("x", "u1", every * of_each), ("sample", "u1", of_each), ("memory", "u1", replay(memory, "memory")[1])]
    if learner.held_out is not None:
        fields.append(("held_out", "u1", replay(learner.held_out, "held_out")[1]))
    if learner.pending is not None:
        fields.append(("waiting", "u1", learner.pending.capacity * of_each))
    if learner.anchor is not None:
        fields.append(("began", "u1", -(-learner.anchor.judging // 8)))
    fields.append(("rights", "u1", every))
    return np.dtype([(n, kind) if n == "live" else (n, kind, (count,)) for n, kind, count in fields], align=True)
