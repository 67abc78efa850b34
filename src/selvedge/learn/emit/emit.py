"""A learner -> C99 beside its step: settings and sizes filled in, the state one struct whose bytes are known."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ...artifact import files
from ...artifact.schedule import Constant
from ...artifact.sound import kind_and_size
from ...errors import InvalidInput
from ..c import FOLDER
from ..figures import Bytes
from ..learner import Learner
from .layout import PARTS, struct
from .sample import unlike
from .source import anchor, header, source

HEADERS = (
    "draws.h", "codec.h", "replay.h", "spike.h", "judge.h", "live_plan.h", "live_sums.h", "live_diary.h",
    "live_copies.h", "live_answers.h", "live_batch.h", "live_candidate.h", "live_round.h", "live.h",
)  # fmt: skip
MOST_BATCH, MOST_EVERY, MOST_BLENDS = 64, 128, 8  # SV_BATCH_MOST, sv_sum_few, SV_BLENDS_MOST


@dataclass(frozen=True, slots=True)
class LiveC:
    """``folder``: where the C lies. ``state``: sizeof its struct. ``bytes``: part by part, with the step's arena, its
    weights and the anchor; code apart."""

    folder: Path
    state: int
    bytes: Bytes


def emit_live(learner: Learner, directory: str | Path, *, entries: int = 64) -> LiveC:
    """Write ``learner`` as C99 into ``directory``, whole or not at all: NAME_live.c, NAME_live.h, NAME_anchor.h and the
    headers that they include. They go beside the artifact that its session was loaded from (``sv.emit``).

    Given the same calls it takes the decisions of ``learner``, which has not learnt yet. entries: of its diary.

    Raises ``NotSupported`` for what the C has not - see docs/live-c.md -, ``InvalidInput`` for a learner that has begun
    to learn, a session that has, and a directory that holds something else.
    """
    if not isinstance(learner, Learner):
        raise InvalidInput("learner", f"of type {type(learner).__name__}", "give a selvedge.Learner")
    if not isinstance(directory, str | PathLike):
        raise InvalidInput("directory", f"of type {type(directory).__name__}", "give the path of a directory")
    if not isinstance(entries, int) or isinstance(entries, bool) or not 1 <= entries <= 1 << 20:
        raise InvalidInput("entries", entries, "give how many the diary holds, as 64")
    _require_fresh(learner)
    _require_in_c(learner)
    manifest, form = learner.session.manifest, struct(learner, entries)
    texts = {file: (FOLDER / file).read_text() for file in HEADERS}
    texts[f"{manifest.name}_live.h"] = header(manifest, form, learner)
    texts[f"{manifest.name}_live.c"] = source(manifest, form, learner, entries)
    if learner.anchor is not None:
        texts[f"{manifest.name}_anchor.h"] = anchor(manifest, learner)
    folder = Path(directory)
    with files.directory(folder, _owned) as made:
        for name, text in texts.items():
            (made / name).write_text(text)
    return LiveC(folder, form.itemsize, _bytes(learner, form))


def _owned(folder: Path) -> Collection[str] | None:
    """The names of what an earlier call has written."""
    if not all((folder / file).is_file() for file in ("judge.h", "live.h")):  # an earlier version's, too
        return None
    kinds = ("_live.c", "_live.h", "_anchor.h")
    return {*HEADERS, *(f.name for f in folder.iterdir() if f.name.endswith(kinds))}


# -- what it can be ---------------------------------------------------------------------------------------------------


def _require_fresh(learner: Learner) -> None:
    memories = [m for m in (learner.memory, learner.held_out) if m is not None]
    drawn = learner._candidate.lessons.draws.count
    if learner.tally.seen or learner.tally.steps or drawn or learner._candidate.now.fresh or any(map(len, memories)):
        raise InvalidInput("learner", f"after {learner.tally.seen} samples", "emit it before it learns")
    manifest, weights = learner.session.manifest, learner.session._weights
    for name, array in learner._candidate.copies.began.arrays.items():
        first = manifest.state[name].initial
        if weights[first : first + array.nbytes].tobytes() != array.tobytes():
            fix = "emit its plan with learnt=session, sv.load that, and give it to the learner"
            raise InvalidInput("session", f"changed in {name}", fix)


def _require_in_c(learner: Learner) -> None:
    """Raises ``NotSupported`` for what only the learner in Python does."""
    manifest, habits, lessons = learner.session.manifest, learner.habits, learner._candidate.lessons
    kinds = [kind_and_size(program)[0] for program in manifest.programs]
    if learner.kind != "CrossEntropy":
        raise unlike(f"the loss {learner.kind}", "plan cross_entropy")
    if manifest.accumulate > 1 or manifest.storage_bytes or len(set(kinds)) < len(kinds):
        raise unlike("a plan that accumulates, pages or has several sizes", "plan without")
    output, x = manifest.programs["predict"].outputs, manifest.programs["predict"].inputs
    sizes, inputs = [port.shape for port in output.values()], [port.dtype for port in x.values()]
    if sizes != [(manifest.batch, manifest.classes)] or inputs != ["float32"] or manifest.dtype != "float32":
        raise unlike("another model than of one float32 input, and one output [batch, classes]", "plan one of those")
    if learner.labels is not None:
        raise unlike("labels, to enrol classes", "leave them out")
    if learner.detectors or learner.governor is not None or lessons.augment is not None:
        raise unlike("detectors, governor or augment", "call those that are in C yourself, and leave them out here")
    if learner.label_guard is not None or learner._candidate.norm is not None:
        raise unlike("a guard of labels or of norms", "leave it out")
    if habits.rate == "auto":
        raise unlike("a rate that is found", "give habits=sv.Habits(rate=...)")
    if learner.memory.dtype != np.float32 and (learner.memory.dtype != np.uint8 or manifest.preprocess is None):
        raise unlike(f"samples of {learner.memory.dtype}", "give float32, or uint8 with the plan's preprocess")
    for name, value, most in (
        ("a batch", manifest.batch, MOST_BATCH),
        ("habits.every", habits.every, MOST_EVERY),
        ("habits.blends", len(habits.blends), MOST_BLENDS),
        ("classes", manifest.classes, 256),
    ):
        if value > most:
            raise unlike(f"{name} of {value}", f"give at most {most}")
    if habits.rate is None and not isinstance(manifest.schedule, Constant):
        raise unlike("a rate that changes", "give habits=sv.Habits(rate=...)")


# -- what it takes ----------------------------------------------------------------------------------------------------


def _bytes(learner: Learner, form: np.dtype[Any]) -> Bytes:
    ram = {"arena": learner.session.manifest.arena_bytes}
    for name in form.names or ():
        ram[PARTS[name]] = ram.get(PARTS[name], 0) + form[name].itemsize
    ram["counts"] += form.itemsize - sum(form[name].itemsize for name in form.names or ())  # what fills it up to 8
    flash = {"weights": learner.session.manifest.weights_bytes}
    if learner.anchor is not None:
        flash["anchor"] = learner.anchor.bytes
    return Bytes(ram, flash)
