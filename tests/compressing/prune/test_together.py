"""A pruned network is an ordinary one: it is planned, learns in native code, and becomes int8."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

import selvedge as sv
from selvedge import zoo
from selvedge.compressing.worst import sqnr


@pytest.fixture(scope="module")
def small() -> sv.Pruned:
    net, x, _ = zoo.make("ds_cnn")
    net.train()(torch.randn(16, *x.shape[1:], generator=torch.Generator().manual_seed(0)))
    return sv.prune(net.eval(), x, {"macs": 0.4})


def samples(count: int = 32) -> torch.Tensor:
    return torch.randn(count, 1, 49, 10, generator=torch.Generator().manual_seed(1))


def test_it_is_planned_and_learns_as_pytorch_does(small: sv.Pruned) -> None:
    net, x, y = small.model.eval(), samples(4), torch.arange(4)
    plan = sv.plan(net, x, loss="cross_entropy", optimizer=sv.SGD(lr=0.01), update="last:1")
    whole = sv.plan(zoo.make("ds_cnn")[0].eval(), x, loss="cross_entropy", optimizer=sv.SGD(lr=0.01), update="last:1")
    assert plan.arena_bytes < 0.8 * whole.arena_bytes
    session = sv.compile(plan)
    with torch.no_grad():
        loss = float(functional.cross_entropy(net(x), y))
    assert session.step(x.numpy(), y.numpy()) == pytest.approx(loss, rel=1e-4)
    state = net.state_dict()
    assert {k: v.shape for k, v in session.state_dict().items()}.items() <= {
        k: v.shape for k, v in state.items()
    }.items()


def test_it_becomes_int8_and_runs_natively(small: sv.Pruned) -> None:
    x = samples()
    made = sv.quantise(small.model, x, wanted_agreement=0.0)
    assert made.facts.bytes < 0.3 * made.facts.float_bytes
    native = sv.compile(sv.plan_inference(made, x[:8])).predict(x[:8].numpy())
    assert sqnr(small.model.eval()(x[:8]), torch.from_numpy(native)) > 15


def test_it_trains_with_fake_quantisation(small: sv.Pruned) -> None:
    x, y = samples(), torch.arange(32) % 12
    qat = sv.QAT(small.model, x)
    adam = torch.optim.Adam(qat.parameters(), 1e-3)
    for _ in qat.epochs(2):
        adam.zero_grad()
        functional.cross_entropy(qat(x), y).backward()
        adam.step()
    qat.convert()
    fresh = small.widths.apply(zoo.make("ds_cnn")[0])
    fresh.load_state_dict(qat.float_state())
    assert torch.isfinite(fresh.eval()(x)).all()
