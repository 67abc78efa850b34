"""The learner in C takes the decisions of the one in Python, and ends in the same bits: weights, memory, diary, all.

Both run the very same compiled step, so that nothing may differ but what the learners do. exp, log and log1p are
libm's in C and numpy's here: where this machine's numpy has its own, evidence and loss may differ in the last places.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import selvedge as sv
from selvedge.learn.habits import Habits
from selvedge.learn.learner import Learner
from selvedge.learn.memory.replay import Replay
from selvedge.run.session import Session

from .. import small
from .board import Board, artifact, board, play, same_state

Calls = list[tuple[Any, ...]]
BYTES = {"bytes", "whole"}  # settings whose samples are bytes
_SEEN = np.random.default_rng(0).uniform(-9, 0, 2000)
LIBM = all(float(np.exp(v)) == math.exp(v) and float(np.log1p(v / 10)) == math.log1p(v / 10) for v in _SEEN)


def by_default(session: Session) -> Learner:
    return small.learner(session)


def without_anchor(session: Session) -> Learner:
    memory = Replay(900, small.SHAPE, np.float32, classes=10, codec="int4", policy="reservoir", seed=3)
    habits = Habits(every=5, steps=3, rate=0.05, blends=(1.0, 0.5), warm=0, drop=0.2, shadow=1.0)
    return Learner(session, memory=memory, habits=habits, pending_bytes=1000, seed=7)


def of_bytes(session: Session) -> Learner:
    memory = Replay(1200, small.SHAPE, np.uint8, classes=10, codec="half+int4", seed=1)
    held = Replay(500, small.SHAPE, np.uint8, classes=10, codec="raw", policy="reservoir", seed=2)
    habits = Habits(every=3, hold_out=3, shares=(0.5, 0.5, 0.0), rate=0.02, alpha=0.9, shadow=2.0, warm=1)
    return Learner(session, memory=memory, held_out=held, anchor=small.anchor(0.2), habits=habits, seed=2**63 + 11)


def too_fast(session: Session) -> Learner:
    memory = Replay(3000, small.SHAPE, np.float32, classes=10, codec="int8", seed=5)
    habits = Habits(every=4, rate=1.5, alpha=0.99, shadow=5.0, warm=0, error=0.9, drop=0.0001)
    held = Replay(1000, small.SHAPE, np.float32, classes=10, codec="float16", policy="reservoir", seed=2)
    return Learner(session, memory=memory, held_out=held, anchor=small.anchor(0.01), habits=habits)


def lenient(session: Session) -> Learner:
    """Any gain commits, and the anchor has much to say."""
    memory = Replay(4000, small.SHAPE, np.float32, classes=10, codec="half+2bit", seed=5)
    habits = Habits(every=2, steps=2, alpha=0.999, error=0.999, shadow=20.0, warm=0, hold_out=0, shares=(1.0, 0.0, 0.0))
    return Learner(session, memory=memory, anchor=small.anchor(0.05), habits=habits, seed=9)


class Pictures(nn.Module):
    """Two channels, so that a sample lies otherwise in the arena than in PyTorch; only its head learns."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2, 4, 3, stride=2, padding=1)
        self.head = nn.Linear(64, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.stem(x)).flatten(1))


def pictures() -> sv.Plan:
    torch.manual_seed(2)
    scale = sv.Preprocess(scale=(1 / 255, 1 / 100), offset=(0.0, -0.5))
    optimiser = sv.Adam(lr=0.02)
    example, update = torch.zeros(3, 2, 8, 8), "last:1"
    return sv.plan(Pictures().eval(), example, optimizer=optimiser, update=update, preprocess=scale, name="pictures")


def of_pictures(session: Session) -> Learner:
    memory = Replay(2500, (2, 8, 8), np.uint8, classes=3, codec="third+2bit", seed=5)
    rng = np.random.default_rng(1)
    anchor = sv.Anchor(rng.integers(0, 256, (40, 2, 8, 8)).astype(np.uint8), rng.integers(0, 3, 40), margin=1.0)
    return Learner(session, memory=memory, anchor=anchor, habits=Habits(every=1, warm=2, shadow=3.0, alpha=0.9))


def hopeless(session: Session) -> Learner:
    """Renamed labels are learnt fast; the anchor is asked in part, and has no hope. Little credit is earned."""
    memory = Replay(4000, small.SHAPE, np.float32, classes=10, codec="raw", seed=5)
    habits = Habits(rate=0.2, alpha=0.9, shadow=0.2, warm=0, hold_out=0, shares=(0.5, 0.5, 0.0), blends=(1.0, 0.5))
    return Learner(session, memory=memory, anchor=small.anchor(0.01), habits=habits, seed=4)


MADE: dict[str, tuple[Callable[[], sv.Plan], Callable[[Session], Learner]]] = {
    "default": (partial(small._plan, 0.9), by_default),
    "unanchored": (partial(small._plan, 0.9), without_anchor),
    "bytes": (partial(small._plan, 0.0), of_bytes),
    "fast": (partial(small._plan, 0.9), too_fast),
    "lenient": (partial(small._plan, 0.0), lenient),
    "whole": (pictures, of_pictures),
    "hopeless": (partial(small._plan, 0.0), hopeless),
}


class Pair:
    """A setting: its board, and learners of it as often as they are asked for."""

    def __init__(self, name: str, folder: Path) -> None:
        plan, self._make = MADE[name]
        folder.mkdir()
        self._folder, self.name = folder, name
        self.session, self._other = artifact(plan(), folder), sv.load(folder / "artifact")
        self._start = self.session.snapshot()
        self.board: Board = board(self.learner(), folder, name)

    def learner(self, other: bool = False) -> Learner:
        session = self._other if other else self.session
        session.restore(self._start, 0)
        return self._make(session)

    def differ(self, calls: Calls) -> tuple[list[str], Learner]:
        """The names under which the two differ after ``calls``, and the learner."""
        told, state = self.board.run(calls)
        ours = self.learner()
        wanted = play(ours, calls)
        size = self.board.emitted.state
        assert len(state) == size + ours.session.manifest.persistent_bytes
        odd = same_state(ours, self.learner(other=True), state[:size])
        if told != wanted:
            odd.append("told")
        for name, entry in ours.session.manifest.state.items():  # the optimiser's no prediction reads
            at = slice(size + entry.offset, size + entry.offset + entry.bytes)
            if entry.region == "state" and entry.of_model and state[at] != ours.session.snapshot()[name].tobytes():
                odd.append(f"arena {name}")
        if not LIBM:
            odd = [n for n in odd if n not in ("judge/log", "tally")]
        return odd, ours


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Pair]:
    folder, made = tmp_path_factory.mktemp("pairs"), dict[str, Pair]()

    def pair(name: str) -> Pair:
        if name not in made:
            made[name] = Pair(name, folder / name)
        return made[name]

    return pair


def samples(name: str, kind: str, n: int, seed: int) -> Iterator[tuple[np.ndarray, int]]:
    """``n`` samples and labels of a ``kind`` of stream, as a setting takes them."""
    rng = np.random.default_rng(seed)
    if name == "whole":
        for i in range(n):
            label = int(rng.integers(0, 3)) if kind != "one class" else 1
            low, high = (0, 256) if kind == "wrong" else (80 * label, 80 * label + 90)
            yield rng.integers(low, high, (2, 8, 8)).astype(np.uint8), i % 3 if kind == "wrong" else label
        return
    x, y = small.data()["stream"]
    rows = rng.integers(0, len(x), n)
    for i in rows if kind != "one picture" else np.repeat(rows[:1], n):
        label = int(rng.integers(0, 10)) if kind == "wrong" else int(y[i])
        if name in BYTES:
            yield (16 - x[i] if kind == "grey" else x[i]), label
            continue
        sample = small.grey(x[i : i + 1])[0] if kind == "grey" else small.floats(x[i])
        if kind == "broken" and rng.random() < 0.4:
            sample = np.where(sample > 0.5, np.float32(rng.choice([np.nan, np.inf, 1e30, 1e5])), sample)
        yield sample, label


KINDS = ["clean", "grey", "wrong", "broken", "one picture", "one class"]


def calls(name: str, parts: list[tuple[str, int, int]], ending: str) -> Calls:
    made: Calls = []
    waiting = 0
    for kind, n, seed in parts:
        for i, (x, y) in enumerate(samples(name, kind, n, seed)):
            if name == "unanchored" and i % 3 == 1 and np.isfinite(x).all() and np.abs(x).max() < 10:
                made.append(("w", x, 0))
                waiting += 1
                if waiting > 3:
                    made.append(("t", waiting - (3 if i % 2 else 1), y))
                continue
            made.append(("l", x, y))
            if i % 20 == 7 and np.isfinite(x).all() and np.abs(x).max() < 1e6:
                made.append(("p", x))
        made.append(("s",))
    return [*made, *((letter,) for letter in ending)]


@pytest.mark.parametrize("name", MADE)
@given(
    parts=st.lists(st.tuples(st.sampled_from(KINDS), st.integers(1, 40), st.integers(0, 99)), min_size=1, max_size=3),
    ending=st.sampled_from(["", "f", "rf", "fs"]),
)
@settings(max_examples=5, deadline=None)
def test_any_stream_ends_in_the_same_bits(
    pairs: Callable[[str], Pair], name: str, parts: list[tuple[str, int, int]], ending: str
) -> None:
    assert pairs(name).differ(calls(name, parts, ending))[0] == []


@pytest.mark.parametrize(
    ("name", "parts", "entered"),
    [
        ("default", [("clean", 40, 1), ("grey", 200, 2)], {"committed"}),
        ("default", [("broken", 120, 3), ("wrong", 80, 1)], {"refused"}),
        ("unanchored", [("grey", 150, 4), ("broken", 60, 0)], {"committed", "dropped", "refused"}),
        ("bytes", [("grey", 200, 4), ("clean", 60, 1)], {"committed", "refused"}),
        ("fast", [("wrong", 90, 6), ("grey", 60, 7)], {"dropped"}),
        ("lenient", [("one class", 30, 4), ("grey", 200, 4), ("wrong", 60, 5)], {"committed", "refused"}),
        ("whole", [("clean", 150, 5), ("wrong", 50, 1)], {"committed"}),
    ],
)
def test_streams_of_which_something_comes(
    pairs: Callable[[str], Pair], name: str, parts: list[tuple[str, int, int]], entered: set[str]
) -> None:
    """Every decision that there is, the same on both sides."""
    odd, ours = pairs(name).differ(calls(name, parts, ""))
    assert odd == []
    assert entered <= {entry.kind for entry in ours.diary}


def test_what_is_not_asked_of_the_anchor_is_not_paid(pairs: Callable[[str], Pair]) -> None:
    """A look that is given up is paid as far as it went; seen at once, before what learning earns fills it up again."""
    pair = pairs("hopeless")
    ours, (x, y) = pair.learner(), small.data()["stream"]
    made: Calls = [("l", small.floats(a), (int(b) + 3) % 10) for a, b in zip(x, y, strict=True)]
    told = 0
    for _, sample, label in made:
        ours.learn_one(sample, label)
        told += 1
        if any("on 256 samples" in entry.why for entry in ours.diary):
            break
    judges = small.anchor().judging
    assert any("on 256 samples" in entry.why for entry in ours.diary)
    assert ours.judge._count.credit < 2.0 * judges + 4 * ours.habits.every, "it is full: a refund would not be seen"
    assert pair.differ(made[:told])[0] == []


def test_the_bytes_are_what_is_said(pairs: Callable[[str], Pair]) -> None:
    """C refuses to compile where its struct has another size; in all it is less than the learner in Python takes."""
    pair = pairs("default")
    emitted, ours = pair.board.emitted, pair.learner()
    assert emitted.bytes.total == emitted.state + ours.session.arena_bytes
    assert emitted.bytes.total < ours.bytes.total
    assert emitted.bytes.flash == ours.bytes.flash
    header = pair.board.folder / "live" / f"{ours.session.manifest.name}_live.h"
    assert f"_LIVE_BYTES {emitted.state}\n" in header.read_text()
