"""The ways in which a network may learn, and the course that each takes: against PyTorch's own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import selvedge as sv
from selvedge.make.searching.candidate import BOUND, FLOAT
from selvedge.make.searching.learning import _sure, falling, learn, learnt, stages
from selvedge.make.searching.material import Material, Person, person
from selvedge.make.searching.variants import STILL, Planner, Variant

RATE, SAMPLES = 0.1, 40


def chain(width: int = 12) -> nn.Module:
    torch.manual_seed(0)
    made = []
    for i in range(3):
        made += [nn.Linear(16 if i == 0 else width, width), nn.ReLU()]
    return nn.Sequential(*made, nn.Linear(width, 4)).eval()


def planner(train: int, run: int | None = None) -> Planner:
    device = sv.Device(name="board", ram="64KiB", flash="256KiB")
    return Planner(device, sv.Limits(run or train, train, 1 << 18), torch.zeros(1, 16), torch.zeros(8, 16))


def ways(train: int, run: int | None = None, beyond: bool = False) -> dict[tuple[str, bool], Variant]:
    made = planner(train, run).variants(chain(), FLOAT, beyond=beyond)
    return {(v.update, v.bounded): v for v in made}


def test_where_all_fits_all_learns_and_half_and_the_last_layer_and_the_biases_and_both():
    found = ways(1 << 15)
    assert set(found) == {
        ("full", False), ("full", True), ("last:2", False), ("last:1", False), ("bias", False),
        ("*bias,6.weight", False),
    }  # fmt: skip
    assert set(found["*bias,6.weight", False].plan.updated) == {"0.bias", "2.bias", "4.bias", "6.bias", "6.weight"}
    assert found["full", True].figures.train_bytes == found["full", False].figures.train_bytes


def test_of_a_layer_that_does_not_fit_the_largest_share_learns():
    room = planner(1 << 15).made(chain(), FLOAT, 0, "last:2", False).figures.train_bytes
    found = ways(room - 1)
    assert all(v.figures.train_bytes < room for v in found.values())
    shares = [v for v in found.values() if "[:" in v.update]
    assert {v.bounded for v in shares} <= {False}  # of one layer and a part no way is bounded
    assert len(shares) == 1
    name, _, percent = shares[0].update.removesuffix("%]").partition("[:")
    assert name.split(",") == ["6.weight", "6.bias", "4.weight"]
    larger = {50: None, 25: 50, 13: 25}[int(percent)]
    if larger:
        more = planner(1 << 15).made(chain(), FLOAT, 0, f"{name}[:{larger}%]", False)
        assert more.figures.train_bytes >= room


def test_of_one_layer_there_is_one_way():
    net = nn.Sequential(nn.Linear(16, 4)).eval()
    assert [v.update for v in planner(1 << 15).variants(net, FLOAT)] == ["full", "bias"]


def test_first_is_the_most_that_fits_with_bounded_gradients():
    (one,) = planner(1 << 15).variants(chain(), FLOAT, few=True)
    assert (one.update, one.bounded) == ("full", True)


@pytest.fixture(scope="module")
def owner():
    rng = np.random.default_rng(0)
    y = np.arange(60) % 4
    return person("a", np.float32(rng.normal(size=(60, 16)) + 2 * np.eye(16)[y]), y, np.arange(60))


@pytest.mark.parametrize("bounded", [False, True])
def test_what_is_learned_is_what_pytorch_learns_along_a_cosine(owner, bounded):
    """CosineAnnealingLR and clip_grad_value_ are the oracle."""
    net = chain()
    plan = planner(1 << 15).plan(net, FLOAT, "full", bounded, falling(RATE, SAMPLES))
    session = sv.compile(plan)
    learn(session, owner, SAMPLES, RATE, 5)
    sgd = torch.optim.SGD(net.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(sgd, SAMPLES, eta_min=RATE / 10)
    x, y = owner.learn
    rng = np.random.default_rng([43, 5])
    rows = np.concatenate([rng.permutation(len(y)) for _ in range(2)])[:SAMPLES]
    assert len(y) < SAMPLES < 2 * len(y)
    own = sv.compile(plan)  # by the schedule of its plan
    thrown = 0
    for row in rows:
        sgd.zero_grad()
        nn.functional.cross_entropy(net(x[row : row + 1]), y[row : row + 1]).backward()
        thrown += any(float(p.grad.abs().max()) > BOUND for p in net.parameters())
        if bounded:
            nn.utils.clip_grad_value_(net.parameters(), BOUND)
        sgd.step()
        schedule.step()
        own.step(x[row : row + 1].numpy(), y[row : row + 1].numpy())
    assert thrown
    for name, value in session.state_dict().items():
        torch.testing.assert_close(value, net.state_dict()[name], rtol=1e-3, atol=1e-5)
        torch.testing.assert_close(value, own.state_dict()[name], rtol=1e-5, atol=1e-6)


def test_it_goes_on_from_stop_to_stop_as_it_would_without(owner):
    plan = planner(1 << 15).plan(chain(), FLOAT, "full", True, STILL)
    whole, parts = sv.compile(plan), sv.compile(plan)
    learn(whole, owner, SAMPLES, RATE, 1)
    assert [parts.steps for _ in stages(parts, owner, [3, 20, SAMPLES], RATE, 1)] == [3, 20, SAMPLES]
    for name, value in whole.state_dict().items():
        assert torch.equal(value, parts.state_dict()[name])


def test_the_way_of_every_person_counts_by_their_tests():
    way = [(0.5, -0.8), (0.6, -0.4), (0.9, -0.3)]
    assert _sure([way, [(1.0, -0.1)]], [10, 30]) == pytest.approx(-(0.5 + 3 * 0.1) / 4)


def test_where_no_rate_is_better_nothing_is_learned(owner):
    """Labels of another meaning than those that are asked."""
    plan = planner(1 << 15).plan(chain(), FLOAT, "full", False, STILL)
    x, y = owner.learn
    found = learnt(plan, Material(owner.learn, (owner,), True, 4, ""), 200, 0, lambda: None)
    assert found.rate > 0
    assert found.learnt > found.shipped + 0.3
    other = Person("b", (x, y), (owner.test[0], (y + 1) % 4))
    net = trained(owner, 1)
    none = learnt(
        planner(1 << 15).plan(net, FLOAT, "full", False, STILL), Material((x, y), (other,), True, 4, ""), 400, 0,
        lambda: None,
    )  # fmt: skip
    assert none.rate == 0
    assert none.learnt == none.shipped > 0.7


def trained(owner: Person, shift: int) -> nn.Module:
    """To call each class the one ``shift`` later."""
    net = chain()
    adam = torch.optim.Adam(net.parameters(), 1e-2)
    x, y = torch.cat([owner.learn[0], owner.test[0]]), torch.cat([owner.learn[1], owner.test[1]])
    for _ in range(60):
        adam.zero_grad()
        nn.functional.cross_entropy(net(x), (y + shift) % 4).backward()
        adam.step()
    return net.eval()
