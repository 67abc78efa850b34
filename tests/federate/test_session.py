"""What a device does with a task is what PyTorch does with the same samples in the same order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import selvedge as sv
from selvedge.errors import InvalidInput
from selvedge.federate.client.session import SessionTrainer, state_of
from selvedge.federate.client.store import PERSONAL, InMemory
from selvedge.federate.client.trainer import CannotTrain
from selvedge.federate.layout import Layout

RATE, BATCH = 0.1, 4


def net(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3))


@pytest.fixture(scope="module")
def session() -> sv.Session:
    return sv.compile(sv.plan(net(), torch.zeros(BATCH, 6), device="stm32f746", optimizer=sv.SGD(RATE)))


def samples(count: int = 10) -> tuple[Any, Any]:
    random = np.random.default_rng(count)
    return random.normal(size=(count, 6)).astype(np.float32), random.integers(0, 3, count).astype(np.int32)


def local(**other: Any) -> dict[str, Any]:
    return {"epochs": 2, "rate": RATE, "mu": 0.0, "scaffold": False, **other}


@pytest.mark.parametrize(("mu", "scaffold"), [(0.0, False), (0.7, False), (0.0, True), (0.3, True)])
def test_a_task_is_pytorchs_own_steps(session: sv.Session, mu: float, scaffold: bool) -> None:
    x, y = samples()
    trainer = SessionTrainer(session, x, y, seed=5)
    layout = trainer.layout
    model = net(1)
    start = layout.vector({n: p.detach().numpy() for n, p in model.named_parameters()})
    random = np.random.default_rng(0)
    control = own = None
    if scaffold:
        control, own = (random.normal(size=layout.size).astype(np.float32) * np.float32(0.05) for _ in range(2))
    found = trainer.train(start, local(mu=mu, scaffold=scaffold), 3, control, own)
    began = [p.detach().clone() for p in model.parameters()]
    pull = layout.arrays(np.zeros_like(start) if control is None or own is None else control - own)
    optimizer = torch.optim.SGD(model.parameters(), RATE)
    rows = list(trainer._rows(2, BATCH, 3))
    for part in rows:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(torch.from_numpy(x[part])), torch.from_numpy(y[part]).long())
        loss = loss + sum(mu / 2 * (p - b).square().sum() for p, b in zip(model.parameters(), began, strict=True))
        for name, parameter in model.named_parameters():
            loss = loss + (parameter * torch.from_numpy(pull[name].copy())).sum()
        loss.backward()
        optimizer.step()
    theirs = layout.vector({n: p.detach().numpy() for n, p in model.named_parameters()})
    np.testing.assert_allclose(found.vector, theirs, atol=2e-6)
    assert found.weight == 10
    if control is not None and own is not None and found.control is not None:
        wanted = own - control + (start - theirs) / (len(rows) * RATE)
        np.testing.assert_allclose(found.control, wanted, atol=1e-5)


def test_an_epoch_has_every_sample_and_every_task_its_own_order(session: sv.Session) -> None:
    trainer = SessionTrainer(session, *samples(10))
    rows = list(trainer._rows(2, BATCH, 1))
    assert [len(r) for r in rows] == [4] * 6
    for epoch in (rows[:3], rows[3:]):
        assert sorted(np.concatenate(epoch)[:10]) == list(range(10))
    assert not np.array_equal(np.concatenate(rows), np.concatenate(list(trainer._rows(2, BATCH, 2))))


def test_personal_layers_stay_and_the_others_do_not_see_them(session: sv.Session) -> None:
    personal = ("2.weight", "2.bias")
    stores = [InMemory() for _ in range(3)]
    first, again, second = (
        SessionTrainer(session, *samples(n), personal=personal, store=store)
        for n, store in zip((8, 8, 12), stores, strict=True)
    )

    def learnt(trainer: SessionTrainer, store: InMemory, task: int) -> bytes:
        """As a participant does it: what is personal is stored with the answer."""
        found = trainer.train(start, local(), task, None, None)
        assert set(found.personal) == set(personal)
        store.save({}, {PERSONAL + n: a for n, a in found.personal.items()})
        return found.vector.tobytes()

    assert set(first.layout.shapes) == {"0.weight", "0.bias"}
    start = first.layout.vector(state_of(session))
    alone = [learnt(first, stores[0], task) for task in (1, 2)]
    between = []
    for task in (1, 2):
        between.append(learnt(again, stores[1], task))
        learnt(second, stores[2], task)
    assert alone == between
    assert alone[0] != alone[1]
    begun = SessionTrainer(session, *samples(8), personal=personal, store=InMemory())
    assert learnt(begun, InMemory(), 2) != alone[1], "the second task went on from the layers of the first"


def test_a_task_that_diverges_is_refused(session: sv.Session) -> None:
    trainer = SessionTrainer(session, *samples(8))
    with pytest.raises(CannotTrain, match="diverged"):
        trainer.train(trainer.layout.vector(state_of(session)), local(rate=1e38, epochs=30), 1, None, None)


def test_samples_and_names_that_do_not_fit(session: sv.Session) -> None:
    x, y = samples(5)
    with pytest.raises(InvalidInput, match="samples is 5 and 4 labels"):
        SessionTrainer(session, x, y[:4])
    with pytest.raises(InvalidInput, match="personal is head"):
        SessionTrainer(session, x, y, personal=("head",))
    with pytest.raises(InvalidInput, match="store is missing beside personal layers"):
        SessionTrainer(session, x, y, personal=("2.bias",))
    with pytest.raises(InvalidInput, match=r"state 0\.bias"):
        Layout({"0.bias": (5,)}).vector({"0.bias": np.zeros(4)})
    with pytest.raises(InvalidInput, match="without arrays"):
        Layout({})
