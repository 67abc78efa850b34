"""A learner learns what is better, keeps what it began with, and can be put away and taken up again."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import selvedge as sv
from selvedge.errors import DoesNotFit, InvalidInput
from selvedge.learn.guard.anchor import Anchor
from selvedge.learn.habits import Habits
from selvedge.learn.learner import Learner
from selvedge.learn.memory.replay import Replay

from . import small
from .small import begun, data, floats, follow, grey, learner, right, same


class Threshold:
    """A detector: of the first value above 0.5."""

    bytes = 1

    def __init__(self) -> None:
        self.drift = False

    def update(self, value: float, /) -> None:
        self.drift = value > 0.5

    def state_dict(self) -> dict[str, np.ndarray]:
        return {"drift": np.array(self.drift)}

    def load_state_dict(self, state: dict[str, np.ndarray], /) -> None:
        self.drift = bool(state["drift"])


class Rationed:
    """A governor with so many steps left."""

    def __init__(self, steps: int) -> None:
        self.left, self.predictions = steps, 0

    def grant(self, steps: int, /) -> int:
        return min(steps, self.left)

    def spend(self, *, steps: int = 0, predictions: int = 0) -> None:
        self.left -= steps
        self.predictions += predictions


@pytest.fixture(scope="module")
def changed() -> tuple[Learner, dict[str, np.ndarray]]:
    """A learner behind 480 samples of another camera, and the weights that it began with."""
    own = learner(small.session(which=1))
    start = own.session.snapshot()
    x, y = data()["stream"]
    follow(own, grey(x[:480]), y[:480])
    return own, start


def test_it_learns_what_is_better_and_loses_nothing(changed: tuple[Learner, dict[str, np.ndarray]]) -> None:
    own, _ = changed
    x, y = (a[480:] for a in data()["stream"])
    assert own.tally.commits >= 1
    assert right(own, grey(x), y) > begun(grey(x), y) + 0.2
    assert right(own, floats(x), y) > begun(floats(x), y) - 0.05
    assert own.tally.seen == 480
    assert own.tally.rounds == 60
    assert own.tally.steps == 480 * own.habits.steps
    assert own.diary.counts["committed"] == own.tally.commits


def test_reset_gives_back_the_first_bits(changed: tuple[Learner, dict[str, np.ndarray]]) -> None:
    own, start = changed
    state = own.state_dict()
    assert not same(own.session.snapshot(), start)
    own.reset()
    assert same(own.session.snapshot(), start)
    own.load_state_dict(state)
    assert same(own.state_dict(), state)


def test_between_commits_what_predicts_is_bit_for_bit_the_same() -> None:
    own = learner()
    x, y = data()["stream"]
    was, commits = own.session.snapshot(), 0
    for sample, label in zip(grey(x[:240]), y[:240], strict=True):
        own.learn_one(sample, int(label))
        now = own.session.snapshot()
        assert same(now, was) == (own.tally.commits == commits)
        was, commits = now, own.tally.commits
    assert commits > 0


@pytest.mark.parametrize("rate", [1e3, 1e30])
def test_a_rate_that_diverges_is_dropped(rate: float) -> None:
    own = learner(habits=Habits(rate=rate))
    start = own.session.snapshot()
    x, y = data()["stream"]
    follow(own, floats(x[:160]), y[:160])
    assert own.diary.counts["dropped"] > 0
    assert own.tally.commits == 0
    assert same(own.session.snapshot(), start)


@pytest.mark.parametrize("labels", ["random", "renamed", "one"])
def test_wrong_labels_take_nothing_from_where_it_began(labels: str) -> None:
    own = learner()
    x, y = data()["stream"]
    rng = np.random.default_rng(4)
    told = {"random": rng.integers(0, 10, len(y)), "renamed": (y + 3) % 10, "one": np.full_like(y, 7)}[labels]
    follow(own, floats(x[:400]), told[:400])
    rest = floats(x[400:]), y[400:]
    assert right(own, *rest) >= begun(*rest) - 0.05


def test_without_an_anchor_and_what_was_held_out_it_still_learns() -> None:
    own = learner(anchor=None, held_out=None)
    x, y = data()["stream"]
    follow(own, grey(x[:320]), y[:320])
    assert own.tally.commits >= 1
    assert right(own, grey(x[480:]), y[480:]) > begun(grey(x[480:]), y[480:]) + 0.2


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused_and_counted(value: float) -> None:
    own = learner()
    x, y = floats(data()["stream"][0][:20]), data()["stream"][1][:20]
    x[::4, 0, 3, 3] = value
    follow(own, x, y)
    assert own.tally.refused == own.diary.counts["refused"] == 5
    assert own.tally.seen + own._candidate.now.fresh == 15
    assert np.isfinite(own.memory.all()[0]).all()
    with pytest.raises(InvalidInput, match="not finite"):
        own.predict_one(x[0])


@pytest.mark.parametrize("value", [1e30, 3e38])
def test_what_has_no_sound_answer_is_not_remembered(value: float) -> None:
    own = learner()
    x, y = floats(data()["stream"][0][:16]), data()["stream"][1][:16]
    x[1] = value
    x[10:12] = -value
    follow(own, x, y)
    assert own.tally.refused == 3
    assert own.tally.seen == 13
    assert np.abs(own.memory.all()[0]).max() <= 1
    assert own.tally.steps == 13 * own.habits.steps


def test_a_round_of_nothing_sound_is_passed_over() -> None:
    own = learner(habits=Habits(every=2))
    start = own.session.snapshot()
    follow(own, np.full((4, *small.SHAPE), 3e38, np.float32), np.zeros(4, np.int32))
    assert own.tally.refused == 4
    assert own.tally.steps == 0
    assert same(own.session.snapshot(), start)


class Broken(Rationed):
    """A governor that fails, once it may have learnt."""

    def spend(self, *, steps: int = 0, predictions: int = 0) -> None:
        if steps:
            raise OSError("the meter is gone")


def test_whatever_ends_a_round_what_predicts_is_what_was_committed() -> None:
    own = learner(governor=Broken(1000))
    start = own.session.snapshot()
    x, y = data()["stream"]
    with pytest.raises(OSError, match="meter"):
        follow(own, grey(x[:8]), y[:8])
    assert own.tally.steps == 1
    assert same(own.session.snapshot(), start)


def test_classes_that_memory_and_anchor_cannot_have_are_refused() -> None:
    few = Replay(2000, small.SHAPE, np.float32, classes=9)
    with pytest.raises(InvalidInput, match="memory is of 9 classes: the plan has 10"):
        learner(memory=few)
    with pytest.raises(InvalidInput, match="held_out is of 9 classes: the plan has 10"):
        learner(held_out=few)
    x, y = data()["anchor"]
    with pytest.raises(InvalidInput, match=r"anchor y is int32, 1..10: give classes, 0..9"):
        learner(anchor=Anchor(x, y + np.int32(1)))


@settings(max_examples=3, deadline=None)
@given(st.integers(1, 110))
def test_what_is_put_away_goes_on_bit_for_bit(cut: int) -> None:
    x, y = grey(data()["stream"][0][:120]), data()["stream"][1][:120]
    one = learner(pending_bytes=2000, detectors={"error": Threshold()}, seed=5)
    follow(one, x[:cut], y[:cut])
    one.predict_one(x[0], later=True)
    other = learner(small.session(which=2), pending_bytes=2000, detectors={"error": Threshold()}, seed=5)
    other.load_state_dict(one.state_dict())
    for own in (one, other):
        follow(own, x[cut:], y[cut:])
        own.label(1, 3)
        own.finish()
        own.examine(ask="no worse")
    assert same(one.state_dict(), other.state_dict())
    assert same(one.session.snapshot(), other.session.snapshot())


def test_anothers_state_is_refused_and_changes_nothing() -> None:
    own = learner()
    x, y = grey(data()["stream"][0][:100]), data()["stream"][1][:100]
    follow(own, x, y)
    before, weights = own.state_dict(), own.session.snapshot()
    larger = learner(small.session(which=2), memory=small.memory(60)).state_dict()
    plain = learner(small.session(0.0)).state_dict()
    first = next(n for n in before if n.startswith("candidate/"))
    foreign = [
        {},
        larger,
        plain,
        {n: a for n, a in before.items() if n != "now"},
        {**before, "more": np.zeros(1)},
        {**before, "tally": np.zeros(2)},
        {**before, "tally": np.full_like(before["tally"], np.nan)},
        {**before, "now": before["now"] + 50},
        {**before, "now": before["now"] - 50},
        {**before, "now": before["now"] + 0.5},
        {**before, "now": before["now"] + 8 * (np.arange(len(before["now"])) == 0)},
        {**before, "tally": -before["tally"]},
        {**before, "fresh/y": before["fresh/y"] + np.int32(10)},
        {**before, "fresh/x": before["fresh/x"][:, :, 1:]},
        {**before, first: before[first][:-1]},
        {**before, "judge/log": np.zeros(2)},
        {**before, "diary/text": np.frombuffer(b"{}", np.uint8)},
    ]
    for state in foreign:
        with pytest.raises(InvalidInput):
            own.load_state_dict(state)
        assert same(own.state_dict(), before)
        assert same(own.session.snapshot(), weights)


def test_labels_that_come_late_are_learnt_and_those_too_late_are_counted() -> None:
    x, y = data()["stream"]
    own = learner(pending_bytes=3 * (64 * 4 + 8), habits=Habits(every=1))
    tickets = [own.predict_one(sample, later=True).ticket for sample in floats(x[:4])]
    assert own.pending is not None
    assert len(own.pending) == 3
    assert not own.label(tickets[0], int(y[0])), "the fourth took its place"
    assert own.label(tickets[1], int(y[1]))
    assert not own.label(tickets[1], int(y[1])), "once"
    assert own.tally.late == 2
    assert own.tally.seen == 1
    assert np.array_equal(own.memory.all()[0][0], floats(x[1]))
    with pytest.raises(InvalidInput, match="ticket"):
        own.label(99, 0)
    with pytest.raises(InvalidInput, match="y"):
        own.label(tickets[2], 10)
    assert own.label(tickets[2], int(y[2])), "a label that cannot be leaves the sample where it is"
    with pytest.raises(InvalidInput, match="pending_bytes"):
        learner().predict_one(floats(x[0]), later=True)


def held(own: Learner) -> int:
    """Bytes of the arrays that it really holds, arena and what is being made apart."""
    copies = [getattr(own._candidate.copies, name).arrays for name in own._candidate.copies.NAMES]
    parts = [own._x, own._y, own.memory._buffer]
    assert own.held_out is not None
    assert own.pending is not None
    parts += [own.held_out._buffer, own.pending._samples, own.pending._tickets]
    spike = own._candidate.spike
    parts += [np.frombuffer(spike._ring, np.uint8), spike.state_dict()["seen"]]
    parts += [own.judge._start, own.judge.evidence._log]
    parts += [own.judge.answers._counts, own.judge.answers._told]
    each = {id(a): a.nbytes for arrays in copies for a in arrays.values()}
    return sum(a.nbytes for a in parts) + sum(each.values())


def test_its_bytes_are_those_of_its_arrays_from_the_first_day() -> None:
    own = learner(pending_bytes=1000)
    first = own.bytes
    learns = sum(a.nbytes for a in own.session.snapshot().values())
    counts = first.ram["counts"] + 8 * len(own.judge.state_dict()["count"])
    apart = own.session.arena_bytes + own.diary.limit + counts
    x, y = data()["stream"]
    most = 0
    for i, (sample, label) in enumerate(zip(grey(x[:200]), y[:200], strict=True)):
        own.learn_one(sample, int(label))
        assert own.bytes == first
        assert sum(len(line) for line in own.diary._lines) <= own.diary.limit
        if i % 8 == 7:
            most = max(most, held(own))
    assert first.total == sum(first.ram.values())
    shared = sum(a.nbytes for a in own.session.optimizer_state_dict().values())  # a blend has the candidate's own
    assert own.tally.commits > 0
    assert most == first.total - apart - learns - shared, "three copies, and room for the one that is being made"
    assert first.flash["anchor"] == sum(a.nbytes for a in data()["anchor"])
    assert first.flash["weights"] == own.session.manifest.weights_bytes


def test_a_budget_is_kept_or_refused_with_the_largest_parts() -> None:
    needed = learner().bytes.total
    assert learner(budget=needed).bytes.total == needed
    with pytest.raises(DoesNotFit, match="make one of these smaller: copies") as refused:
        learner(budget=needed - 1)
    assert (refused.value.need, refused.value.have) == (needed, needed - 1)


def test_an_anchor_of_bytes_is_as_one_of_numbers() -> None:
    x, y = data()["anchor"]
    preprocess = small.session().manifest.preprocess
    assert preprocess is not None
    both = [
        learner(small.session(which=which), anchor=Anchor(given, y, margin=0.05))
        for which, given in enumerate((x, preprocess(x)), 2)
    ]
    for own in both:
        follow(own, grey(data()["stream"][0][:120]), data()["stream"][1][:120])
    assert same(both[0].state_dict(), both[1].state_dict())
    assert both[0].bytes.flash["anchor"] < both[1].bytes.flash["anchor"] / 3


def test_without_labels_it_learns_to_rebuild() -> None:
    x = floats(data()["stream"][0]).reshape(-1, 64)
    anchor = Anchor(floats(data()["anchor"][0]).reshape(-1, 64), margin=0.5)
    own = Learner(small.reconstructing(), memory=Replay(9000, (64,), np.float32, classes=1), anchor=anchor)
    before = ((own.predict_many(x[600:]) - x[600:]) ** 2).mean()
    for sample in x[:600]:
        own.learn_one(sample)
    after = ((own.predict_many(x[600:]) - x[600:]) ** 2).mean()
    assert own.tally.commits >= 1
    assert after < 0.8 * before
    assert own.tally.merit < 0
    with pytest.raises(InvalidInput, match="has no target"):
        own.learn_one(x[0], 1)


def test_energy_is_asked_for_and_told() -> None:
    governor = Rationed(50)
    own = learner(governor=governor)
    x, y = data()["stream"]
    follow(own, floats(x[:64]), y[:64])
    assert own.tally.steps == 50
    assert governor.left == 0
    own.predict_one(floats(x[0]))
    own.predict_many(floats(x[:5]))
    assert governor.predictions == 6


def test_a_drift_asks_for_what_the_habits_say() -> None:
    x, y = data()["stream"]
    wrong = floats(x[:16]), (y[:16] + 1) % 10

    def after(drift: str) -> Learner:
        own = learner(detectors={"error": Threshold()}, habits=Habits(drift=drift, boost=8))
        follow(own, *wrong)
        assert own.diary.counts["drift"] >= 8
        return own

    assert after("ignore").tally.steps == 16 * 4
    assert after("more").tally.steps == 2 * 16 * 4
    assert "error has drifted" in str(after("variant").asks)
    assert after("reset").diary.counts["reset"] >= 8


@pytest.mark.parametrize("watched", ["loss", "confidence", "input"])
def test_detectors_see_what_they_watch(watched: str) -> None:
    class Recorder(Threshold):
        def __init__(self) -> None:
            super().__init__()
            self.values: list[float] = []

        def update(self, value: float, /) -> None:
            self.values.append(value)

    x, y = floats(data()["stream"][0][:8]), data()["stream"][1][:8]
    recorder = Recorder()
    own = learner(detectors={watched: recorder})
    logits = torch.from_numpy(own.predict_many(x)).double()
    wanted = {
        "loss": nn.functional.cross_entropy(logits, torch.from_numpy(y).long(), reduction="none"),
        "confidence": logits.softmax(1).amax(1),
        "input": torch.from_numpy(x).double().mean((1, 2, 3)),
    }[watched]
    follow(own, x, y)
    assert recorder.values == pytest.approx(wanted.tolist(), rel=1e-5)


def test_few_samples_are_examined_by_parts_that_were_not_learnt_from() -> None:
    x, y = data()["stream"]
    own = learner(memory=small.memory(80), habits=Habits(hold_out=0, every=80))
    follow(own, grey(x[:80]), y[:80])
    assert own.tally.commits == 0, "nothing came after it, to show that it is better"
    assert own.examine()
    assert own.tally.commits == 1
    assert right(own, grey(x[480:]), y[480:]) > begun(grey(x[480:]), y[480:])
    assert not own.examine(), "nothing has been learnt since"


def test_what_is_learnt_by_heart_is_not_committed() -> None:
    x, y = data()["stream"]
    own = learner(memory=small.memory(80), habits=Habits(hold_out=0))
    start = own.session.snapshot()
    follow(own, floats(x[:80]), np.random.default_rng(0).permutation(y[:80]))
    assert not own.examine()
    assert not own.examine(ask="no worse")
    assert same(own.session.snapshot(), start)


def test_late_in_a_life_an_examination_asks_for_more_and_does_not_fail() -> None:
    x, y = data()["stream"]
    own = learner(memory=small.memory(20), habits=Habits(hold_out=0, every=20))
    for _ in range(2000):
        own.judge.again()
    follow(own, grey(x[:20]), y[:20])
    assert not own.examine()
    assert "; 3e-08 is allowed" in str(list(own.diary)[-1])


def test_an_examination_that_cannot_be_is_refused() -> None:
    own = learner()
    follow(own, floats(data()["stream"][0][:9]), data()["stream"][1][:9])
    with pytest.raises(InvalidInput, match="folds"):
        own.examine(folds=6)
    with pytest.raises(InvalidInput, match="ask"):
        own.examine(ask="perhaps")  # type: ignore[arg-type]


def regressing() -> Any:
    return sv.compile(sv.plan(nn.Linear(4, 2), torch.zeros(2, 4), loss="mse"))


def test_what_cannot_serve_is_refused_in_a_line() -> None:
    of_bytes = Replay(9000, small.SHAPE, np.uint8, classes=10)
    x, y = data()["anchor"]
    for match, parts in {
        "detectors": {"detectors": {"weather": Threshold()}},
        "the plan takes": {"memory": Replay(9000, (1, 4, 4), np.float32, classes=10)},
        "held_out": {"held_out": of_bytes},
        "anchor is of": {"anchor": Anchor(x[:, :, 1:], y)},
        "anchor y": {"anchor": Anchor(x)},
        "float64": {"anchor": Anchor(np.float64(x), y)},
    }.items():
        with pytest.raises(InvalidInput, match=match):
            learner(**parts)
    with pytest.raises(InvalidInput, match="cross_entropy"):
        Learner(regressing(), memory=Replay(900, (4,), np.float32, classes=1))


@pytest.mark.parametrize("y", [None, -1, 10, 1.0, "3"])
def test_a_label_that_is_none_is_refused_before_anything_changes(y: Any) -> None:
    own = learner()
    before = own.state_dict()
    with pytest.raises(InvalidInput, match="y"):
        own.learn_one(floats(data()["stream"][0][0]), y)
    with pytest.raises(InvalidInput, match="sample"):
        own.learn_one(np.zeros((1, 8, 7), np.float32), 1)
    with pytest.raises(InvalidInput, match="sample"):
        own.learn_one(np.zeros(small.SHAPE, np.complex64), 1)
    assert same(own.state_dict(), before)


def test_judging_costs_no_more_than_its_share_of_learning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Predictions that judge, over the work of the steps: at most ``shadow`` of it, beside what it begins with."""
    from selvedge.learn import examiner as module
    from selvedge.learn.candidate import FORWARDS

    own, asked = learner(), 0
    predict = module.predictions

    def counting(session: Any, x: np.ndarray) -> Any:
        nonlocal asked
        asked += len(x)
        return predict(session, x)

    monkeypatch.setattr(module, "predictions", counting)
    x, y = data()["stream"]
    follow(own, grey(x[:400]), y[:400])
    judging = asked - 400  # each is predicted once by what predicts, as the stream's user would
    work = own.tally.steps * own.session.manifest.step_batch * FORWARDS
    assert 0 < judging <= own.habits.shadow * work + len(own.anchor.judges[0] if own.anchor else [])
    assert math.isfinite(own.judge.evidence.log)
