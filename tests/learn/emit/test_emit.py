"""What is emitted, what is refused, and what comes back from a board."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import selvedge as sv
from selvedge.learn.emit.layout import struct
from selvedge.learn.habits import Habits
from selvedge.learn.learner import Learner
from selvedge.learn.memory.smaller import Smaller

from .. import small


def replay(codec: Any = "int8", policy: str = "balanced", **more: Any) -> sv.Replay:
    return sv.Replay(2000, small.SHAPE, np.float32, classes=10, codec=codec, policy=policy, **more)


class Kept:
    """A governor that grants all."""

    def grant(self, steps: int) -> int:
        return steps

    def spend(self, *, steps: int = 0, predictions: int = 0) -> None:
        pass


REFUSED: dict[str, tuple[Callable[[], Learner], str]] = {
    "detectors": (lambda: small.learner(detectors={"error": sv.DDM()}), "detectors, governor or augment"),
    "governor": (lambda: small.learner(governor=Kept()), "detectors, governor or augment"),
    "augment": (lambda: small.learner(augment=lambda x, draws: x), "detectors, governor or augment"),
    "label guard": (lambda: small.learner(label_guard=sv.LabelGuard(10)), "a guard of labels or of norms"),
    "norm guard": (lambda: small.learner(norm_guard=sv.NormGuard()), "a guard of labels or of norms"),
    "found rate": (lambda: small.learner(habits=Habits(rate="auto")), "a rate that is found"),
    "labels": (lambda: small.learner(labels=[str(i) for i in range(9)]), "labels, to enrol classes"),
    "policy": (lambda: small.learner(memory=replay(policy="diverse")), "the policy Diverse of its memory"),
    "codec": (lambda: small.learner(held_out=replay(Smaller(2, decode_by="bilinear"))), "of its held_out"),
    "loss": (
        lambda: Learner(small.reconstructing(), memory=sv.Replay(4000, (64,), np.float32, classes=1)),
        "the loss Reconstruction",
    ),
    "every": (lambda: small.learner(habits=Habits(every=129)), "habits.every of 129 is not supported"),
    "blends": (
        lambda: small.learner(habits=Habits(blends=tuple(1 - i / 10 for i in range(9)))), "habits.blends of 9",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_in_python_only_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    make, says = REFUSED[name]
    with pytest.raises(sv.NotSupported) as refused:
        sv.emit_live(make(), tmp_path / "live")
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "live").exists()


def test_a_learner_that_has_begun_is_refused(tmp_path: Path) -> None:
    own = small.learner()
    own.learn_one(np.zeros(small.SHAPE, np.float32), 0)
    with pytest.raises(sv.InvalidInput, match="emit it before it learns"):
        sv.emit_live(own, tmp_path / "live")


def test_weights_that_are_not_the_artifacts_are_refused(tmp_path: Path) -> None:
    session = small.session()
    x, y = small.data()["stream"]
    session.step(small.floats(x[:4]), y[:4])
    with pytest.raises(sv.InvalidInput, match="learnt=session"):
        sv.emit_live(small.learner(session), tmp_path / "live")


@pytest.mark.parametrize("entries", [0, -1, True, 2.0])
def test_a_diary_has_an_entry_or_more(entries: Any, tmp_path: Path) -> None:
    with pytest.raises(sv.InvalidInput, match="entries"):
        sv.emit_live(small.learner(), tmp_path / "live", entries=entries)


def test_it_is_written_whole_and_again_but_not_over_what_is_anothers(tmp_path: Path) -> None:
    folder = tmp_path / "live"
    sv.emit_live(small.learner(), folder)
    (folder / "main.c").write_text("mine")
    again = sv.emit_live(small.learner(anchor=None, held_out=None), folder, entries=8)
    assert (folder / "main.c").read_text() == "mine"
    assert not (folder / "small_anchor.h").exists()
    assert f"_LIVE_BYTES {again.state}\n" in (folder / "small_live.h").read_text()
    strange = tmp_path / "strange"
    strange.mkdir()
    (strange / "thesis.txt").write_text("mine")
    with pytest.raises(sv.InvalidInput, match="it holds other files"):
        sv.emit_live(small.learner(), strange)
    assert sorted(f.name for f in strange.iterdir()) == ["thesis.txt"]


@pytest.mark.parametrize("data", [b"", b"\0" * 100, "text", None])
def test_other_bytes_are_refused_and_nothing_changes(data: Any) -> None:
    own = small.learner()
    before = own.state_dict()
    with pytest.raises(sv.InvalidInput, match="live"):
        sv.load_live(own, data)
    assert small.same(before, own.state_dict())


def test_damaged_bytes_are_refused_and_nothing_changes() -> None:
    own = small.learner()
    before, form = own.state_dict(), struct(own, 8)
    board = np.zeros(1, form)
    board["memory"] = 0xFF  # more samples than fit
    with pytest.raises(sv.InvalidInput):
        sv.load_live(own, board.tobytes())
    board = np.zeros(1, form)
    board["live"]["deployed"] = 77  # a blend that there is not
    with pytest.raises(sv.InvalidInput, match="damaged"):
        sv.load_live(own, board.tobytes())
    assert small.same(before, own.state_dict())
