"""A learner on a stream: every call is kept before it is made; energy, disks and clocks as the world has them."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks.kill_live import LIMIT, SHAPE, emitted, follow, made
from selvedge.errors import DoesNotFit, InvalidInput
from selvedge.learn.energy.governor import Governor, Variant
from selvedge.learn.energy.senses import Charge, Moment, look
from selvedge.learn.energy.simulated import SimulatedClock
from selvedge.learn.guard.anchor import Anchor
from selvedge.learn.guard.labels import LabelGuard
from selvedge.learn.guard.norm import NormGuard
from selvedge.learn.habits import Habits
from selvedge.learn.journal.journal import Journal
from selvedge.learn.learner import Learner
from selvedge.learn.live import Live
from selvedge.learn.memory.replay import Replay
from selvedge.learn.stream.sample import Sample
from selvedge.run.artifact import load

NOW = Moment(1.7e9, 1.0, 1)


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("net") / "net"
    emitted(folder)
    return folder


def learner(artifact: Path, **given: object) -> Learner:
    memory = Replay(4 << 10, SHAPE, np.float32, classes=5, seed=1)
    return Learner(load(artifact), memory=memory, **{"habits": Habits(steps=1), **given})  # type: ignore[arg-type]


def living(artifact: Path, journal: Journal | None, now: object = lambda: NOW, **given: object) -> Live:
    return Live(learner(artifact, **given), journal, now=now)  # type: ignore[arg-type]


def bits(live: Live) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in live.state_dict().items()}


def samples(count: int, first: int = 0) -> Iterator[Sample]:
    for number in range(first, count):
        x, y = made(number)
        yield Sample(number, float(number), x, y)


def test_it_is_the_learner_it_holds_and_nothing_more(artifact: Path, tmp_path: Path) -> None:
    plain = learner(artifact)
    for sample in samples(100):
        plain.learn_one(sample.x, sample.y)
    with Journal(tmp_path / "j", LIMIT) as journal:
        live = living(artifact, journal)
        live.run(samples(100))
        mine = live.learner.state_dict()
    assert {n: a.tobytes() for n, a in mine.items()} == {n: a.tobytes() for n, a in plain.state_dict().items()}


@pytest.mark.parametrize("cut", [1, 7, 8, 9, 60, 99])
def test_left_without_a_word_it_goes_on_the_same(artifact: Path, tmp_path: Path, cut: int) -> None:
    """Also where a label comes after the cut, and a sample that waited for it was predicted before."""

    def stretch(live: Live, first: int, last: int, ticket: int) -> int:
        for sample in samples(last, first):
            live.feed(sample)
            if sample.number == 0:
                ticket = int(live.predict(sample.x + 1, later=True).ticket or 0)
        return ticket

    whole = living(artifact, None, pending_bytes=1 << 10)
    whole.label(stretch(whole, 0, 100, 0), 2)
    with Journal(tmp_path / "j", 60_000) as journal:
        ticket = stretch(living(artifact, journal, pending_bytes=1 << 10), 0, cut, 0)
    with Journal(tmp_path / "j", 60_000) as journal:
        live = living(artifact, journal, pending_bytes=1 << 10)
        assert live.position == cut
        stretch(live, cut, 100, ticket)
        live.label(ticket, 2)
    assert bits(live) == bits(whole)


def test_the_figures_of_a_round_are_those_of_its_predictions(artifact: Path) -> None:
    live = living(artifact, None, habits=Habits(steps=1, every=5))
    right: list[bool] = []
    for sample in samples(600):
        right.append(int(live.learner.predict_one(sample.x).label) == sample.y)
        found = live.feed(sample)
        if found is not None:
            assert found.point.seen == len(right)
            assert found.point.merit == pytest.approx(np.mean(right))
            assert found.point.lately == pytest.approx(np.mean(right[-200:]))
    points = live.course.life
    assert 60 <= len(points) <= 128
    assert points[-1].seen == 600 or len(points) < 128


def test_the_life_of_any_length_keeps_its_bytes(artifact: Path) -> None:
    live = living(artifact, None, habits=Habits(steps=1, every=1, warm=1000))
    size = live.course.bytes
    for number in range(2000):
        live.course.enter(1, 1.0, 0.5, number + 1, float(number + 1))
    seen = [point.seen for point in live.course.life]
    assert live.course.bytes == size
    assert 64 <= len(seen) <= 128
    assert len(set(np.diff(seen))) == 1
    assert seen[-1] > 1900


def test_samples_without_a_class_are_predicted_and_counted(artifact: Path, tmp_path: Path) -> None:
    governor = Governor(100, [Variant("plan", 0.001)], predict_joules=0.5)
    with Journal(tmp_path / "j", LIMIT) as journal:
        live = Live(learner(artifact), journal, governor, now=lambda: NOW)
        for number in range(6):
            live.feed(Sample(number, 0.0, made(number)[0]))
        assert live.predict(made(0)[0]).output.shape == (5,)
        assert governor.spent == pytest.approx(3.5)
        assert live.learner.tally.seen == 0
    with Journal(tmp_path / "j", LIMIT) as journal:
        again = Live(learner(artifact), journal, Governor(100, [Variant("plan", 0.001)], predict_joules=0.5))
        assert again.position == 6
        assert again.governor is not None
        assert again.governor.spent == pytest.approx(3.5)


def test_the_day_is_kept_and_what_is_done_again_is_charged(artifact: Path, tmp_path: Path) -> None:
    def made_governor() -> Governor:
        return Governor(0.2, [Variant("plan", 0.001)])

    clock = SimulatedClock(1.7e9)
    with Journal(tmp_path / "j", LIMIT, "snapshot") as journal:
        live = Live(learner(artifact), journal, made_governor(), now=lambda: look(clock))
        live.run(samples(600))
        assert live.learner.tally.steps == 200  # 0.2 J of a day
        assert live.governor is not None
        assert live.governor.spent == pytest.approx(0.2)
        assert live.learner.diary.counts["rests"] == 1
        clock.pass_time(2 * 86_400)
        live.run(samples(680, 600))
        assert live.learner.tally.steps > 200
        assert live.learner.diary.counts["learns"] == 1
        spent, steps = live.governor.spent, live.learner.tally.steps
        behind = sum(1 for record in journal.recover()[1] if record.head["do"] == "learn")
    with Journal(tmp_path / "j", LIMIT) as journal:
        again = Live(learner(artifact), journal, made_governor(), now=lambda: look(clock))
        assert again.learner.tally.steps == steps
        assert again.governor is not None
        redone = round((again.governor.spent - spent) / 0.001)
        assert 0 < redone <= behind


def test_a_flat_battery_keeps_it_predicting(artifact: Path) -> None:
    moment = Moment(1.7e9, 1.0, 1, Charge(0.05, None, False), 20.0)
    live = Live(learner(artifact), None, Governor(10, [Variant("plan", 0.001)]), now=lambda: moment)
    *_, last = (found for sample in samples(64) if (found := live.feed(sample)))
    assert live.learner.tally.steps == 0
    assert "the battery is at 5%" in last.energy
    assert [e.kind for e in live.learner.diary] == ["rests"]


def test_a_governor_of_several_plans_is_refused(artifact: Path) -> None:
    live = Live(learner(artifact), None, Governor(10, [Variant("a", 0.1), Variant("b", 0.2)]), now=lambda: NOW)
    with pytest.raises(InvalidInput, match="of 2 variants"):
        live.run(samples(8))


def test_a_clock_that_jumps_is_told_and_changes_nothing(artifact: Path) -> None:
    clock = SimulatedClock(1.7e9)
    live = living(artifact, None, now=lambda: look(clock))
    for sample in samples(40):
        live.feed(sample)
        clock.pass_time(10)
        if sample.number in (10, 20):
            clock.jump(3600 if sample.number == 10 else -7200)
        if sample.number == 30:
            clock.restart(off=500)
    assert [e.why for e in live.learner.diary if e.kind == "clock"] == [
        "it was set forth by 3,600 s",
        "it was set back by 7,200 s",
    ]
    plain = living(artifact, None)
    plain.run(samples(40))
    ours, theirs = live.learner.session.snapshot(), plain.learner.session.snapshot()
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)


def test_a_full_disk_takes_nothing_and_is_told_when_there_is_room(artifact: Path, tmp_path: Path) -> None:
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with Journal(tmp_path / "j", LIMIT) as journal:
        live = living(artifact, journal)
        live.run(samples(20))
        state = bits(live)
        log = max((tmp_path / "j").glob("log-*"))
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size + 50, before[1]))
            (sample,) = samples(21, 20)
            for _ in range(3):
                with pytest.raises(InvalidInput, match="make room"):
                    live.feed(sample)
                assert bits(live) == state
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, handler)
        live.run(samples(40, 20))
        state = bits(live)
        assert [e.kind for e in live.learner.diary].count("journal") == 1
    with Journal(tmp_path / "j", LIMIT) as journal:
        assert bits(living(artifact, journal)) == state


def test_a_damaged_snapshot_costs_nothing_but_time_and_is_told(artifact: Path, tmp_path: Path) -> None:
    whole = living(artifact, None)
    whole.run(samples(120))
    with Journal(tmp_path / "j", LIMIT) as journal:
        live = living(artifact, journal)
        for sample in samples(80):
            live.feed(sample)
            if sample.number in (30, 60):
                live.snapshot()
    file = max((tmp_path / "j").glob("snapshot-*"))
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with Journal(tmp_path / "j", LIMIT) as journal:
        live = living(artifact, journal)
        assert live.position == 80
        live.run(samples(120, 80))
        assert "damaged" in next(e.why for e in live.learner.diary if e.kind == "journal")
    mine, theirs = bits(live), bits(whole)
    assert {n for n in theirs if mine[n] != theirs[n]} == {"learner/diary/text"}


def test_a_snapshot_that_the_journal_cannot_hold_is_refused(artifact: Path, tmp_path: Path) -> None:
    with Journal(tmp_path / "j", 6_000) as journal:
        live = living(artifact, journal)
        with pytest.raises(DoesNotFit, match="limit of"):
            live.run(samples(200))


def test_repeats_odd_streams_and_stalls_are_in_the_diary(artifact: Path) -> None:
    live = living(artifact, None)
    live.run(samples(50))
    live.run(samples(60))  # the stream begins again from 0
    assert (live.repeated, live.learner.tally.seen, live.position) == (50, 56, 60)
    x, _ = made(3)
    live.run(Sample(number, 0.0, x, 1) for number in range(60, 160))
    live.tell("stream", "no sample for 30 s")
    live.flush()
    told = [e.why for e in live.learner.diary if e.kind == "stream"]
    assert [line.split(":")[0] for line in told] == [
        "sample 0 was there before",
        "sample 60 is 59 s older than one before it",
        "it repeats itself",
        "no sample for 30 s",
    ]


def test_a_sample_that_it_does_not_take_is_told_and_left_out(artifact: Path, tmp_path: Path) -> None:
    with Journal(tmp_path / "j", LIMIT) as journal:
        live = living(artifact, journal)
        bad = [Sample(0, 0.0, np.zeros(3, np.float32), 1), Sample(1, 1.0, made(1)[0], 9)]
        live.run([*bad, *samples(10, 2)])
        with pytest.raises(InvalidInput, match="sample is float32"):
            live.feed(Sample(20, 0.0, np.zeros(3, np.float32), 1))
    assert [e.kind for e in live.learner.diary] == ["refused", "refused"]
    assert live.position == 10


@pytest.mark.parametrize("value", [3e38, -3e38, 1e30, 1e20])
def test_numbers_too_large_for_an_answer_are_lived_through_and_replayed(
    artifact: Path, tmp_path: Path, value: float
) -> None:
    with Journal(tmp_path / "j", LIMIT) as journal:
        live = living(artifact, journal)
        live.run(samples(16))
        signs = np.where(np.arange(16) % 2, 1, -1)
        for n in range(16, 32):
            live.feed(Sample(n, 0.0, np.float32(value) * (signs if n % 2 else np.abs(signs)).astype(np.float32), 1))
        live.run(samples(60, 32))
        state = bits(live)
        assert np.isfinite([[p.merit, p.lately, p.loss] for p in live.course.life]).all()
        assert np.isfinite(live.learner.predict_one(made(0)[0]).output).all()
    with Journal(tmp_path / "j", LIMIT) as journal:
        assert bits(living(artifact, journal)) == state


def test_what_is_not_its_own_is_refused(artifact: Path, tmp_path: Path) -> None:
    with Journal(tmp_path / "a", LIMIT) as journal:
        journal.append({"call": 1})
    with Journal(tmp_path / "a", LIMIT) as journal, pytest.raises(InvalidInput, match="not of a learner's life"):
        living(artifact, journal)
    with Journal(tmp_path / "b", LIMIT) as journal:
        journal.append({"do": "begin", "of": "another"})
    with Journal(tmp_path / "b", LIMIT) as journal, pytest.raises(InvalidInput, match="another plan, or other weights"):
        living(artifact, journal)
    with Journal(tmp_path / "c", LIMIT) as journal:
        living(artifact, journal).finish()
    with Journal(tmp_path / "c", LIMIT) as journal, pytest.raises(InvalidInput, match="a life with none"):
        Live(learner(artifact), journal, Governor(1, [Variant("plan", 0.1)]))
    x = np.stack([made(i)[0] for i in range(40)])
    y = np.array([made(i)[1] for i in range(40)], np.int32)
    with Journal(tmp_path / "d", LIMIT) as journal:
        living(artifact, journal, anchor=Anchor(x, y)).feed(next(samples(1)))
    for other in (None, Anchor(x + np.float32(0.1), y), Anchor(x, np.roll(y, 1)), Anchor(x, y, judging=30)):
        with Journal(tmp_path / "d", LIMIT) as journal, pytest.raises(InvalidInput, match="an anchor of other samples"):
            living(artifact, journal, anchor=other)
    with Journal(tmp_path / "d", LIMIT) as journal:
        assert living(artifact, journal, anchor=Anchor(x, y)).position == 1
    used = learner(artifact)
    for sample in samples(8):
        used.learn_one(sample.x, sample.y)
    with pytest.raises(InvalidInput, match="after 8 samples"):
        Live(used)


def test_what_a_call_refuses_is_not_written(artifact: Path, tmp_path: Path) -> None:
    with Journal(tmp_path / "j", LIMIT) as journal:
        live = living(artifact, journal, labels=["a", "b", "c"], pending_bytes=1 << 10)
        number = journal.number
        for call in (
            lambda: live.undo(),
            lambda: live.label(7, 1),
            lambda: live.enrol("a", np.zeros((1, 16), np.float32)),
            lambda: live.enrol("d", np.full((1, 16), np.nan, np.float32)),
            lambda: live.enrol("d", np.zeros((1, 3), np.float32)),
            lambda: live.feed(Sample(0, 0.0, made(0)[0], 4)),
            lambda: live.predict(np.full(16, np.nan), later=True),
        ):
            with pytest.raises(InvalidInput):
                call()
        assert journal.number == number


def test_the_benchmark_stream_has_all_that_it_says(artifact: Path) -> None:
    from benchmarks.kill_live import living as benchmark

    live = benchmark(artifact, None)
    follow(live, 420)
    counts = live.learner.diary.counts
    assert {"refused", "enrolled", "undone", "committed"} <= counts.keys()


class Always:
    """A detector that finds a drift at the fortieth number."""

    bytes, drift = 8, False

    def __init__(self) -> None:
        self.seen = 0

    def update(self, value: float, /) -> None:
        self.seen += 1
        self.drift = self.seen == 40

    def state_dict(self) -> dict[str, np.ndarray]:
        return {"seen": np.array(self.seen)}

    def load_state_dict(self, state: dict[str, np.ndarray], /) -> None:
        self.seen = int(state["seen"])


def test_a_question_for_another_variant_is_answered_once_and_outlives_a_kill(artifact: Path, tmp_path: Path) -> None:
    def again(journal: Journal) -> Live:
        return living(artifact, journal, habits=Habits(steps=1, drift="variant"), detectors={"loss": Always()})

    with Journal(tmp_path / "j", LIMIT) as journal:
        live = again(journal)
        with pytest.raises(InvalidInput, match="asks for nothing"):
            live.answered("none")
        live.run(samples(48))
        assert "the loss has drifted" in str(live.learner.asks)
    with Journal(tmp_path / "j", LIMIT) as journal:
        live = again(journal)
        assert live.learner.asks is not None
        live.answered("a larger plan takes over")
        assert live.learner.asks is None
    with Journal(tmp_path / "j", LIMIT) as journal:
        live = again(journal)
        assert live.learner.asks is None
        assert live.learner.diary.counts["answered"] == 1
        assert "a larger plan" in list(live.learner.diary)[-1].why


def test_many_are_predicted_at_once_and_their_energy_counts(artifact: Path) -> None:
    governor = Governor(100, [Variant("plan", 0.001)], predict_joules=0.001)
    live = Live(learner(artifact), None, governor, now=lambda: NOW)
    many = np.stack([made(n)[0] for n in range(37)])
    assert np.array_equal(live.predict_many(many), np.stack([live.learner.predict_one(x).output for x in many]))
    spent = governor.spent
    assert spent == pytest.approx(0.074, abs=1e-6)
    wrong = {"sample": many[:, :5], "samples": many[:0], "sample 0": many * np.float32(np.nan)}
    for told, bad in wrong.items():
        with pytest.raises(InvalidInput, match=told):
            live.predict_many(bad)
        with pytest.raises(InvalidInput, match=told):
            live.learner.predict_many(bad)
    assert governor.spent == spent


def test_a_rate_found_and_labels_doubted_outlive_a_cut(artifact: Path, tmp_path: Path) -> None:
    def again(journal: Journal | None) -> Live:
        guards = {"label_guard": LabelGuard(5), "norm_guard": NormGuard()}
        return living(artifact, journal, habits=Habits(steps=1, rate="auto"), **guards)

    whole = again(None)
    whole.run(samples(100))
    assert whole.learner.diary.counts["rate"] == 1
    for cut in (36, 70):
        with Journal(tmp_path / f"j{cut}", LIMIT) as journal:
            again(journal).run(samples(cut))
        with Journal(tmp_path / f"j{cut}", LIMIT) as journal:
            live = again(journal)
            live.run(samples(100, live.position))
            assert bits(live) == bits(whole)
