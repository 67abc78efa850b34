"""Learning without labels helps where it can, and is taken back bit for bit where it collapses. On real digits, real
temperatures, and what PyTorch's network of them is."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import selvedge as sv
from selvedge.errors import DoesNotFit, InvalidInput
from selvedge.learn.guard.collapse import Collapse
from selvedge.learn.objectives.entropy import Entropy
from selvedge.learn.objectives.next_step import NextStep
from selvedge.learn.objectives.reconstruction import Reconstruction
from selvedge.learn.objectives.unlabelled import Unlabelled
from tests.data.folders import shared

from .. import small
from ..small import data, floats, grey, same

BATCH = 16


@lru_cache(maxsize=1)
def compiled() -> tuple[sv.Session, dict[str, np.ndarray]]:
    """The small network of scikit-learn's digits, all of it learning without labels."""
    plan = sv.plan(
        small._trained(), torch.zeros(BATCH, *small.SHAPE), loss=sv.label_free(10), optimizer=sv.SGD(0.02, momentum=0.9)
    )
    made = sv.compile(plan)
    return made, made.snapshot()


def fresh() -> tuple[sv.Session, dict[str, np.ndarray]]:
    made, start = compiled()
    made.restore(start, 0)
    return made, start


def right(session: sv.Session, x: np.ndarray, y: np.ndarray) -> float:
    n = len(y) - len(y) % BATCH
    return float(np.mean([session.predict(x[i : i + BATCH]).argmax(1) == y[i : i + BATCH] for i in range(0, n, BATCH)]))


def test_without_a_guard_it_collapses_and_with_one_it_is_what_it_was() -> None:
    x, y = np.float32(0.5) * floats(data()["stream"][0]) + np.float32(0.2), data()["stream"][1]
    session, start = fresh()
    before = right(session, x, y)
    plain = Unlabelled(session, Entropy(None))
    for _ in range(3):
        for i in range(0, 640, BATCH):
            plain.learn(x[i : i + BATCH])
    assert plain.why == ""
    assert right(session, x, y) < before - 0.1
    session, start = fresh()
    guarded = Unlabelled(session, Entropy(None), Collapse(10))
    outputs = [guarded.learn(x[i : i + BATCH]) for _ in range(3) for i in range(0, 640, BATCH)]
    assert "classes are left of" in guarded.why
    assert same(session.snapshot(), start)
    assert session.steps == 0
    steps = guarded.steps
    assert 0 < steps < 120
    assert np.array_equal(outputs[-1], session.predict(x[624:640]))
    guarded.learn(x[:BATCH])
    assert guarded.steps == steps


def test_a_stream_of_one_class_is_no_collapse() -> None:
    x, y = floats(data()["stream"][0]), data()["stream"][1]
    session, start = fresh()
    own = Unlabelled(session, Entropy(), Collapse(10), rate=1e-3)
    one = np.tile(x[y == 3], (4, 1, 1, 1))
    for i in range(0, len(one) - BATCH + 1, BATCH):
        own.learn(one[i : i + BATCH])
    assert own.why == ""
    assert own.steps > 10
    assert not same(session.snapshot(), start)


def test_what_is_not_finite_takes_it_back() -> None:
    session, start = fresh()
    own = Unlabelled(session, Entropy(None), rate=1e30)
    x = floats(data()["stream"][0])
    for i in range(0, 64, BATCH):
        own.learn(x[i : i + BATCH])
    assert "not finite" in own.why or "loss" in own.why
    assert same(session.snapshot(), start)


def test_the_scale_of_the_norms_learns_a_camera_as_tent_does() -> None:
    """Live statistics, their scale and offset alone learning: a camera whose pictures are dim and grey."""
    x, y = (torch.from_numpy(a) for a in (floats(data()["train"][0]), data()["train"][1]))
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 10))
    optimiser = torch.optim.Adam(net.parameters(), 0.01)
    for _ in range(80):
        optimiser.zero_grad()
        nn.functional.cross_entropy(net(x), y.long()).backward()
        optimiser.step()
    plan = sv.plan(
        net.eval(), torch.zeros(BATCH, *small.SHAPE), loss=sv.label_free(10), optimizer=sv.Adam(1e-3), update=["2.*"],
        norms="live",
    )  # fmt: skip
    session = sv.compile(plan)
    seen, labels = grey(data()["stream"][0]), data()["stream"][1]
    before = right(session, seen[320:], labels[320:])
    own = Unlabelled(session, Entropy(None), Collapse(10))
    for i in range(0, 320, BATCH):
        own.learn(seen[i : i + BATCH])
    assert own.why == ""
    assert right(session, seen[320:], labels[320:]) > before + 0.2


def test_the_next_hour_of_a_real_temperature_is_learnt_from_what_came() -> None:
    """NAB's ambient temperature: a linear model of a day's hours that has never seen it foretells the next one."""
    folder = shared("nab")
    file = next(folder.rglob("ambient_temperature_system_failure.csv"))
    values = np.loadtxt(file, delimiter=",", skiprows=1, usecols=1, dtype=np.float32)
    values = (values - values[:500].mean()) / values[:500].std()
    torch.manual_seed(0)
    session = sv.compile(sv.plan(nn.Linear(24, 1), torch.zeros(8, 24), loss="mse", optimizer=sv.SGD(0.001)))
    start = session.snapshot()
    windows = np.lib.stride_tricks.sliding_window_view(values, 25)[: 8 * (len(values) // 8 - 4)].reshape(-1, 8, 25)
    own = Unlabelled(session, NextStep())
    errors = [float(((own.learn(x)[:, 0] - x[:, -1]) ** 2).mean()) for x in windows]
    assert own.steps == len(windows)
    assert np.mean(errors[-100:]) < 0.5 * np.mean(errors[:20])
    with pytest.raises(InvalidInput, match="steps"):
        own.learn(windows[0][:, :24])
    session.restore(start, 0)
    fast = Unlabelled(session, NextStep(), rate=0.05)
    for x in windows[:100]:
        fast.learn(x)
    assert "leapt" in fast.why
    assert same(session.snapshot(), start)


def test_an_autoencoder_learns_what_it_is_shown() -> None:
    session = small.reconstructing()
    x = floats(data()["stream"][0]).reshape(-1, 64)
    own = Unlabelled(session, Reconstruction())
    errors = [float(((own.learn(x[i : i + 4]) - x[i : i + 4]) ** 2).mean()) for i in range(0, 640, 4)]
    assert np.mean(errors[-20:]) < np.mean(errors[:20])


@pytest.mark.parametrize("cut", [3, 30])
def test_what_is_put_into_a_journal_goes_on_bit_for_bit(cut: int, tmp_path: Path) -> None:
    x = np.float32(0.5) * floats(data()["stream"][0]) + np.float32(0.2)
    parts = [x[i : i + BATCH] for i in [*range(0, 640, BATCH)] * 2]
    first, _ = fresh()
    whole = Unlabelled(first, Entropy(None), Collapse(10), seed=3)
    for part in parts:
        whole.learn(part)
    wanted = whole.state_dict()
    assert whole.why
    with sv.Journal(tmp_path / "life", 1 << 20) as journal:
        cut_off = Unlabelled(fresh()[0], Entropy(None), Collapse(10), seed=3)
        for number, part in enumerate(parts[: cut + 4]):
            journal.append({"batch": number}, {"x": part})
            cut_off.learn(part)
            if number + 1 == cut:
                journal.snapshot({"batch": number}, cut_off.state_dict())
    with sv.Journal(tmp_path / "life", 1 << 20) as journal:
        kept, records = journal.recover()
        assert kept is not None
        assert len(records) == 4
        again = Unlabelled(fresh()[0], Entropy(None), Collapse(10), seed=3)
        again.load_state_dict(kept.arrays)
        for record in records:
            again.learn(record.arrays["x"])
    for part in parts[cut + 4 :]:
        again.learn(part)
    assert again.why == whole.why
    assert same(again.state_dict(), wanted)


def test_its_bytes_are_counted_and_bounded() -> None:
    session, _ = fresh()
    copy = sum(a.nbytes for a in session.snapshot().values())
    guarded, plain = Unlabelled(session, Entropy(), Collapse(10)), Unlabelled(session, Entropy())
    assert guarded.bytes.ram["arena"] == session.arena_bytes
    assert guarded.bytes.ram["copies"] == copy
    assert guarded.bytes.ram["collapse"] == Collapse(10).bytes
    assert plain.bytes.ram["copies"] == 0
    with pytest.raises(DoesNotFit, match="without labels does not fit"):
        Unlabelled(session, Entropy(), Collapse(10), budget=guarded.bytes.total - 1)
    Unlabelled(session, Entropy(), Collapse(10), budget=guarded.bytes.total)
    guarded.learn(floats(data()["stream"][0][:BATCH]))
    assert Unlabelled(session, Entropy(), Collapse(10)).bytes.ram["copies"] == 2 * copy, "they lie in flash no more"


def test_anothers_state_is_refused_and_changes_nothing() -> None:
    session, _ = fresh()
    own = Unlabelled(session, Entropy(None), Collapse(10))
    x = floats(data()["stream"][0])
    own.learn(x[:BATCH])
    before = own.state_dict()
    later = Unlabelled(session, Entropy(None), Collapse(10)).state_dict()  # of a session that has learnt
    first = next(n for n in before if n.startswith("session/"))
    for state in (
        {}, later, Unlabelled(fresh()[0], Entropy(None)).state_dict(), {**before, first: before[first][:-1]},
        {**before, "counts": -before["counts"]}, {**before, "usual": np.array(np.nan)},
        {**before, "collapse/count": np.array([-1])}, {**before, "spike/ring": np.zeros(3, np.float32)},
    ):  # fmt: skip
        session.restore({n.removeprefix("session/"): a for n, a in before.items() if n.startswith("session/")}, 1)
        with pytest.raises(InvalidInput, match="unlabelled state"):
            own.load_state_dict(state)
        assert same(own.state_dict(), before)


def test_plans_that_do_not_fit_are_refused() -> None:
    session, _ = fresh()
    with pytest.raises(InvalidInput, match="collapse"):
        Unlabelled(session, Entropy(), Collapse(9))
    parts = sv.plan(small._trained(), torch.zeros(4, *small.SHAPE), loss=sv.label_free(10), accumulate=2)
    with pytest.raises(InvalidInput, match="micro-batches"):
        Unlabelled(sv.compile(parts), Entropy())
