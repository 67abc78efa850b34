"""Whole runs of real sessions: liars, personal layers, parts that roll, norms; and settings that are none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

import selvedge as sv
from selvedge.errors import InvalidInput
from selvedge.federate.aggregate.robust import trimmed
from selvedge.federate.client.session import SessionTrainer, state_of
from selvedge.federate.client.trainer import CannotTrain
from selvedge.federate.cover import Rolling, widths
from selvedge.federate.grid.virtual import Device
from selvedge.federate.layout import Layout


def digits() -> tuple[Any, Any]:
    found = load_digits()
    return np.float32(found.images / 16).reshape(-1, 64), np.int32(found.target)


def compiled(hidden: int = 32) -> sv.Session:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, 10))
    return sv.compile(sv.plan(model, torch.zeros(10, 64), device="stm32f746", optimizer=sv.SGD(0.1)))


@pytest.fixture(scope="module")
def dealt() -> tuple[list[Any], Any, Any]:
    """Twenty devices with seventy digits each, of all classes; and the digits that nobody has."""
    x, y = digits()
    order = np.random.default_rng(0).permutation(len(x))
    return [(x[rows], y[rows]) for rows in np.split(order[:1400], 20)], x[order[1400:1790]], y[order[1400:1790]]


def test_a_fifth_that_turn_their_changes_round_cost_at_most_three_points(dealt: Any) -> None:
    shards, x, y = dealt
    session = compiled()
    start = session.state_dict()

    def right(of: sv.Session) -> float:
        return float(np.mean([of.predict(x[i : i + 10]).argmax(1) == y[i : i + 10] for i in range(0, 390, 10)]))

    def learnt(rule: str, robust: dict[str, Any], liars: float) -> float:
        session.load_state_dict(start)
        run = sv.Federation(
            "digits", rounds=15, clients=20, least=20, rule=rule, robust=robust, local=sv.Local(epochs=3, rate=0.1),  # type: ignore[arg-type]
        )  # fmt: skip
        told = sv.simulate(session, shards, run, faults=sv.Faults(liars=liars, strength=5.0))
        assert told.phase == "done"
        return right(session)

    alone = learnt("mean", {}, 0.0)
    assert alone > 0.9
    assert learnt("mean", {}, 0.2) < 0.5
    for rule, robust in (("median", {}), ("trimmed", {"share": 0.2}), ("krum", {"liars": 4, "keep": 10})):
        assert learnt(rule, robust, 0.2) > alone - 0.03, rule


def test_parts_that_roll_learn_all_of_the_model(dealt: Any) -> None:
    """No device has more than half of the hidden channels; each of these is learnt, where fixed ones leave half."""
    shards = dealt[0]
    for rolls in (True, False):
        large, small = compiled(16), compiled(8)
        began = state_of(large)
        whole, part = Layout.of(state_of(large)), Layout.of(state_of(small))
        cover = Rolling(whole, part) if rolls else widths(whole, part)
        run = sv.Federation("rolling", rounds=16, clients=5, local=sv.Local(rate=0.1))
        told = sv.simulate(
            large, shards, run, covers={"small": cover}, sessions={"small": small}, parts=["small"] * len(shards)
        )
        assert told.phase == "done"
        moved = np.abs(state_of(large)["0.weight"] - began["0.weight"]).max(1) > 0
        assert moved.sum() == (16 if rolls else 8)
        assert told.points[-1].loss < told.points[0].loss


def test_each_device_is_judged_with_its_own_personal_layers(dealt: Any) -> None:
    session, personal = compiled(), ("2.weight", "2.bias")
    began = state_of(session)
    seen: list[bytes] = []

    def judged(of: sv.Session) -> float:
        seen.append(state_of(of)["2.weight"].tobytes())
        return float(len(seen))

    run = sv.Federation("own", rounds=2, clients=4, local=sv.Local(rate=0.1))
    told = sv.simulate(session, dealt[0][:4], run, personal=personal, evaluate=judged, every=2)
    assert told.points[-1].told == 2.5
    assert seen == [layers["2.weight"].tobytes() for layers in told.personal]
    assert len(set(seen)) == 4
    assert told.state["2.weight"].tobytes() == began["2.weight"].tobytes()


def test_no_statistic_of_a_norm_is_pulled_or_has_a_control_variate() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))
    session = sv.compile(
        sv.plan(model, torch.zeros(8, 1, 8, 8), device="stm32f746", optimizer=sv.SGD(0.05), norms="live")
    )
    random = np.random.default_rng(0)
    x, y = random.normal(3, 2, (16, 1, 8, 8)).astype(np.float32), random.integers(0, 3, 16).astype(np.int32)
    trainer = SessionTrainer(session, x, y)
    start = trainer.layout.vector(state_of(session))
    control = np.full_like(start, 0.01)
    local = {"epochs": 1, "rate": 0.05, "mu": 5.0, "scaffold": True}
    found = trainer.train(start, local, 1, control, None)
    assert found.control is not None
    arrays = trainer.layout.arrays(found.control)
    assert not arrays["1.running_mean"].any()
    assert not arrays["1.running_var"].any()
    assert arrays["0.weight"].any()


def test_a_task_of_more_steps_than_a_device_does_is_refused_before_it_begins(dealt: Any) -> None:
    trainer = SessionTrainer(compiled(), *dealt[0][0], most_steps=21)
    start = trainer.layout.vector(state_of(trainer._session))
    local = {"epochs": 3, "rate": 0.1, "mu": 0.0, "scaffold": False}
    assert trainer.train(start, local, 0, None, None).weight == 70
    for epochs in (4, 1 << 40):
        with pytest.raises(CannotTrain, match="at most 21"):
            trainer.train(start, {**local, "epochs": epochs}, 1, None, None)
    assert next(iter(trainer._rows(1 << 40, 10, 1))).shape == (10,)
    with pytest.raises(InvalidInput, match="most_steps is 0"):
        SessionTrainer(trainer._session, *dealt[0][0], most_steps=0)


def test_a_share_is_cut_as_it_is_written() -> None:
    changes = np.arange(100, dtype=np.float32)[:, None] ** 2
    assert trimmed(changes, 0.29)[0] == np.square(np.arange(29, 71)).mean()


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"every": 0}, "every is 0"), ({"every": True}, "every is True"), ({"link": 0}, "device link is 0"),
        ({"link": float("nan")}, "device link is nan"), ({"seconds": float("nan")}, "speed is nan"),
        ({"spread": -1.0}, "speed is"), ({"parts": ["small"]}, "parts is of 1 devices"),
        ({"parts": ["small"] * 3}, "parts is small"),
    ],
)  # fmt: skip
def test_what_cannot_be_simulated_is_one_line(dealt: Any, given: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        sv.simulate(compiled(), dealt[0][:3], sv.Federation("odd", 1, 3), **given)
    assert why in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "given",
    [
        {"late": -1}, {"late": float("nan")}, {"drop": float("nan")}, {"drop": "x"}, {"crash": 2}, {"lose": -0.1},
        {"partitions": (1, 2)}, {"partitions": ((2, 1),)}, {"partitions": ((0, float("inf")),)}, {"partitions": 3},
        {"strength": float("inf")},
    ],
)  # fmt: skip
def test_faults_that_are_none_are_one_line(given: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as refused:
        sv.Faults(**given)
    assert str(refused.value).startswith(f"fault {next(iter(given))} is ")


def test_devices_of_the_virtual_grid_that_are_none() -> None:
    for odd in ({"link": 0}, {"link": -1.0}, {"seconds": -1.0}, {"seconds": float("inf")}):
        with pytest.raises(InvalidInput, match=f"device {next(iter(odd))} is"):
            Device(lambda data: None, **odd)  # type: ignore[arg-type]
