"""Training on data: it learns, keeps its best epoch, stops in time, and an interrupt changes no bit."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

import selvedge as sv
from selvedge.learn.checkpoint import Place, identity, load, save
from selvedge.learn.metrics import Arrays, Score, dummy, predictions, probabilities, score
from selvedge.learn.train import Diverged, Fitted, fit

DEVICE = sv.Device(name="bench", ram="4MiB", flash="4MiB")
OPTIMIZERS = {"momentum": sv.SGD(lr=0.05, momentum=0.9), "adam": sv.Adam(lr=0.003)}


@cache
def plan(optimizer: str = "momentum", norms: str = "frozen", batch: int = 8, lr: float | None = None) -> sv.Plan:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Linear(216, 10))
    chosen = OPTIMIZERS[optimizer] if lr is None else sv.SGD(lr=lr)
    return sv.plan(net, torch.zeros(batch, 1, 8, 8), device=DEVICE, optimizer=chosen, norms=norms)


@cache
def digits() -> tuple[Arrays, Arrays]:
    data = load_digits()
    x = (data.images[:, None] / 16 - 0.3).astype(np.float32)
    y = data.target.astype(np.int32)
    return Arrays(x[:200], y[:200]), Arrays(x[200:310], y[200:310])


def same(a: sv.Session, b: sv.Session) -> bool:
    one, other = a.snapshot(), b.snapshot()
    return one.keys() == other.keys() and all(one[n].tobytes() == other[n].tobytes() for n in one)


def test_it_learns_and_keeps_the_best_epoch() -> None:
    train, held = digits()
    session = sv.compile(plan())
    fitted = fit(session, train, epochs=6, validation=held)
    assert fitted.ended == "done"
    assert [e.steps for e in fitted.history] == [25, 50, 75, 100, 125, 150]
    assert fitted.best is not None
    assert fitted.best.accuracy is not None
    assert fitted.best.accuracy > 0.8 > 0.3 > (fitted.dummy.accuracy or 1)
    assert fitted.best.accuracy == max(e.accuracy or 0 for e in fitted.history)
    assert score(session, held) == fitted.best.score
    assert session.steps == 150


def test_scores_are_pytorchs_and_count_every_sample_once() -> None:
    """110 samples fill no whole number of batches of 8."""
    train, held = digits()
    made = plan()
    session = sv.compile(made)
    fit(session, train, epochs=1)
    logits = torch.from_numpy(predictions(session, held.x))
    assert held.y is not None
    y = torch.from_numpy(held.y).long()
    found = score(session, held)
    assert found.loss == pytest.approx(float(nn.functional.cross_entropy(logits, y)), rel=1e-6)
    assert found.accuracy == pytest.approx(float((logits.argmax(1) == y).float().mean()))
    shares = probabilities("CrossEntropy", logits.numpy())
    np.testing.assert_allclose(shares, torch.softmax(logits.double(), 1).numpy(), atol=1e-7)


def test_the_other_losses() -> None:
    x = np.random.default_rng(0).standard_normal((50, 4)).astype(np.float32)
    w = np.random.default_rng(1).standard_normal((4, 3)).astype(np.float32)
    targets = {"mse": x @ w, "bce_with_logits": (x @ w > 0).astype(np.float32), "reconstruction": None}
    for loss, y in targets.items():
        torch.manual_seed(0)
        net = nn.Linear(4, 4 if y is None else 3)
        made = sv.plan(net, torch.zeros(5, 4), device=DEVICE, loss=loss, optimizer=sv.Adam(lr=0.05))
        session = sv.compile(made)
        data = Arrays(x, y)
        first = score(session, data)
        with torch.no_grad():
            out = net(torch.from_numpy(x))
        target = torch.from_numpy(x if y is None else y)
        function = nn.functional.binary_cross_entropy_with_logits if loss.startswith("bce") else nn.functional.mse_loss
        assert first.loss == pytest.approx(float(function(out, target)), rel=1e-5)
        fitted = fit(session, data, epochs=15)
        assert fitted.best is not None
        assert fitted.best.loss < 0.3 * fitted.dummy.loss, loss
        assert (fitted.best.accuracy is None) == (loss != "bce_with_logits")


def test_a_dummy_knows_the_shares_alone() -> None:
    train = Arrays(np.zeros((10, 1, 8, 8), np.float32), np.array([0] * 6 + [1] * 4, np.int32))
    held = Arrays(np.zeros((4, 1, 8, 8), np.float32), np.array([0, 1, 1, 1], np.int32))
    found = dummy("CrossEntropy", train, held, sv.compile(plan()))
    assert found.accuracy == 0.25
    assert found.loss == pytest.approx(-(np.log(0.6) + 3 * np.log(0.4)) / 4)


def test_better_is_more_accurate_then_of_lower_loss() -> None:
    assert Score(1.0, 0.9).better(Score(0.1, 0.8))
    assert Score(0.1, 0.9).better(Score(0.2, 0.9))
    assert not Score(0.2, 0.9).better(Score(0.2, 0.9))
    assert Score(0.1).better(Score(0.2))
    assert Score(9.0).better(None)


class Interrupt:
    """Says stop before batch number ``at``, counted from 0."""

    def __init__(self, at: int) -> None:
        self.left = at

    def __call__(self) -> bool:
        self.left -= 1
        return self.left < 0


@pytest.mark.parametrize(("optimizer", "norms"), [("momentum", "frozen"), ("adam", "folded")])
def test_resumed_is_bit_for_bit_uninterrupted(tmp_path: Path, optimizer: str, norms: str) -> None:
    """Interrupted again and again: within an epoch, at its first batch, and before anything was done."""
    train, held = digits()
    made = plan(optimizer, norms)
    rates = sv.Cosine(0.05, steps=100, warmup=5)

    def go(**more: Any) -> tuple[sv.Session, Fitted]:
        session = sv.compile(made)
        return session, fit(session, train, epochs=4, validation=held, schedule=rates, seed=3, **more)

    whole, expected = go()
    path = tmp_path / "place.npz"
    session, fitted = go(checkpoint=path, stop=Interrupt(0))
    ends = [fitted.ended]
    for steps in (7, 18, 1, 30, 19):
        session, fitted = go(checkpoint=path, resume=True, stop=Interrupt(steps))
        ends.append(fitted.ended)
    assert set(ends) == {"interrupted"}
    session, fitted = go(checkpoint=path, resume=True)
    assert fitted.ended == "done"
    assert fitted.history == expected.history
    assert fitted.best == expected.best
    assert same(session, whole)
    again, fitted = go(checkpoint=path, resume=True)  # there is nothing left to do
    assert fitted.history == expected.history
    assert same(again, whole)


def test_patience_ends_early() -> None:
    """At rate 0 nothing improves."""
    train, held = digits()
    fitted = fit(sv.compile(plan(lr=0.0)), train, epochs=50, validation=held, patience=3)
    assert (fitted.ended, len(fitted.history)) == ("early", 4)
    assert fitted.best == fitted.history[0]


def test_steps_bound_the_work() -> None:
    train, held = digits()
    session = sv.compile(plan())
    fitted = fit(session, train, steps=30, validation=held)
    assert session.steps == 30
    assert [e.steps for e in fitted.history] == [25, 30]


def test_fewer_samples_than_a_batch_are_repeated() -> None:
    train, _ = digits()
    few = Arrays(train.x[:3], None if train.y is None else train.y[:3])
    fitted = fit(sv.compile(plan()), few, epochs=20)
    assert fitted.best is not None
    assert fitted.best.accuracy == 1.0


def test_divergence_says_what_to_do_and_leaves_the_best() -> None:
    train, _ = digits()
    session = sv.compile(plan(lr=1e4))
    before = session.snapshot()
    with pytest.raises(
        Diverged, match=r"loss is (nan|inf) in epoch 1.* as it began; lower the learning rate, as lr=1e\+03"
    ):
        fit(session, train, epochs=3)
    assert all(np.array_equal(before[n], a) for n, a in session.snapshot().items())
    session = sv.compile(plan())

    class Exploding:
        base = 0.05

        def lr(self, step: int) -> float:
            return 0.05 if step < 30 else 1e6

        def to_dict(self) -> dict[str, Any]:
            return {}

    with pytest.raises(Diverged, match="as after epoch 1") as caught:
        fit(session, train, epochs=3, schedule=Exploding())  # type: ignore[arg-type]
    assert (caught.value.kept, caught.value.epoch) == (1, 2)
    assert score(session, train).accuracy or 0 > 0.5


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"epochs": 0}, "epochs is 0"),
        ({"epochs": True}, "epochs is True"),
        ({"schedule": 0.1}, "schedule is of type float"),
        ({"steps": -1}, "steps is -1"),
        ({"patience": 0}, "patience is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"resume": True}, "give the checkpoint"),
        ({"resume": True, "checkpoint": "nowhere.npz"}, "there is none: leave out --resume"),
    ],
)
def test_bad_settings_are_named(more: dict[str, Any], says: str) -> None:
    train, _ = digits()
    with pytest.raises(sv.InvalidInput, match=says):
        fit(sv.compile(plan()), train, **more)


def test_arrays_must_agree() -> None:
    with pytest.raises(sv.InvalidInput, match="y is 3 long: x has 4 samples"):
        sv.fit(sv.compile(plan()), (np.zeros((4, 1, 8, 8), np.float32), np.zeros(3, np.int32)))
    with pytest.raises(sv.InvalidInput, match="data is empty"):
        sv.fit(sv.compile(plan()), (np.zeros((0, 1, 8, 8), np.float32), np.zeros(0, np.int32)))


def test_tensors_and_lists_are_a_pair_too() -> None:
    train, _ = digits()
    assert train.y is not None
    made = [sv.compile(plan()) for _ in range(3)]
    pairs = [(train.x, train.y), [train.x, train.y], (torch.from_numpy(train.x), torch.from_numpy(train.y))]
    for session, pair in zip(made, pairs, strict=True):
        fit(session, pair, epochs=1, validation=pair)  # type: ignore[arg-type]
    assert same(made[0], made[1])
    assert same(made[0], made[2])


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (5, "data is of type int: give a pair of arrays"),
        (np.zeros((4, 1, 8, 8)), "data is of type ndarray: give a pair of arrays"),
        (torch.zeros(4, 1, 8, 8), "data is of type Tensor: give a pair of arrays"),
        ((np.zeros(4),), r"data is of \[4\]: give a pair of arrays"),
        ((None, np.zeros(4)), r"data is of None, \[4\]: give a pair of arrays"),
        ((np.zeros(4), 3), r"data is of \[4\], \[\]: give a pair of arrays"),
    ],
)
def test_what_is_no_data_is_named(data: Any, says: str) -> None:
    session = sv.compile(plan())
    with pytest.raises(sv.InvalidInput, match=says):
        fit(session, data)
    with pytest.raises(sv.InvalidInput, match=says.replace("data", "validation")):
        fit(session, digits()[0], validation=data)


class TestCheckpoint:
    """The file itself."""

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        train, held = digits()
        path = tmp_path / "place.npz"
        assert (
            fit(sv.compile(plan()), train, validation=held, checkpoint=path, stop=Interrupt(40)).ended == "interrupted"
        )
        return path

    def resume(self, path: Path, made: sv.Plan | None = None, data: Arrays | None = None, **more: Any) -> Fitted:
        train, held = digits()
        return fit(
            sv.compile(made or plan()), data or train, validation=held, checkpoint=path, resume=True, **more
        )  # fmt: skip

    def test_it_holds_arrays_and_json_only(self, path: Path) -> None:
        with np.load(path, allow_pickle=False) as archive:
            about = json.loads(archive["about"].tobytes())
            assert {a.dtype.kind for a in (archive[n] for n in archive.files)} <= set("fui")
        assert (about["epoch"], about["batch"], about["steps"]) == (1, 15, 40)
        assert about["of"]["plan"] == plan().arrangement.digest()

    @pytest.mark.parametrize(
        ("more", "says"),
        [
            ({"seed": 1}, "its seed is 0, now it is 1"),
            ({"epochs": 3}, "its steps is 250, now it is 75"),
            ({"patience": 2}, "its patience is None, now it is 2"),
            ({"schedule": sv.Constant(0.1)}, "its schedule is"),
            ({"made": "adam"}, "its plan is"),
            ({"data": "other"}, "its data is"),
        ],
    )
    def test_another_training_is_refused(self, path: Path, more: dict[str, Any], says: str) -> None:
        _, held = digits()
        swapped = {"adam": plan("adam"), "other": held}
        with pytest.raises(sv.InvalidInput, match=says):
            self.resume(path, **{k: swapped.get(str(v), v) for k, v in more.items()})

    def test_other_weights_are_refused(self, path: Path) -> None:
        train, held = digits()
        session = sv.compile(plan())
        session._weights[:4] ^= 1
        with pytest.raises(sv.InvalidInput, match="its model is"):
            fit(session, train, validation=held, checkpoint=path, resume=True)

    def test_every_cut_of_the_file_is_refused(self, path: Path) -> None:
        whole = path.read_bytes()
        for end in (0, 1, 100, len(whole) // 2, len(whole) - 1):
            path.write_bytes(whole[:end])
            with pytest.raises(sv.InvalidInput, match=r"it cannot be read .*: remove it and train anew"):
                self.resume(path)

    def test_a_position_out_of_range_is_refused(self, path: Path) -> None:
        train, _ = digits()
        session = sv.compile(plan())
        settings = {"seed": 0, "batch": 8, "steps": 250, "schedule": plan().schedule.to_dict(), "patience": None}
        of = identity(session, train, settings)
        place = load(path, of)
        for field, value in (("batch", 25), ("batch", -1), ("steps", 251), ("best", 7)):
            changed = {f: getattr(place, f) for f in Place.__dataclass_fields__} | {field: value}
            save(path, Place(**changed), of)
            with pytest.raises(sv.InvalidInput, match="out of range"):
                self.resume(path)

    def test_a_failed_write_keeps_the_earlier_file(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The disk fills in the middle of the next checkpoint."""
        before = path.read_bytes()

        def full(*_: Any) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("os.fsync", full)
        with pytest.raises(sv.InvalidInput, match="No space left"):
            self.resume(path)
        assert path.read_bytes() == before
        assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_snapshot_is_the_session(tmp_path: Path) -> None:
    train, _ = digits()
    one, other = (sv.compile(plan("adam", "folded")) for _ in range(2))
    fit(one, train, steps=20)
    other.restore(one.snapshot(), one.steps)
    assert same(one, other)
    assert train.y is not None
    assert [one.step(train.x[:8], train.y[:8]) for _ in range(5)] == [
        other.step(train.x[:8], train.y[:8]) for _ in range(5)
    ]
    before = other.snapshot()
    with pytest.raises(sv.InvalidInput, match="of another plan"):
        other.restore({}, 0)
    name = next(iter(before))
    with pytest.raises(sv.InvalidInput, match="this plan has float32"):
        other.restore({**before, name: before[name].astype(np.float64)}, 0)
    assert all(np.array_equal(before[n], a) for n, a in other.snapshot().items())
