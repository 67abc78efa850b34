"""Gradients read from a compiled plan are PyTorch's, and the noise scale is that of the samples."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import selvedge as sv
from selvedge.errors import InvalidInput, NotSupported
from selvedge.learn.rate.gradient import gradient
from selvedge.learn.rate.noise_scale import noise_scale
from selvedge.learn.rate.pace import Found, auto_rate

from ..small import same

X = np.random.default_rng(3).normal(size=(512, 6)).astype(np.float32)
Y = np.random.default_rng(4).integers(0, 3, 512).astype(np.int32)


def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))


def compiled(optimizer: sv.SGD | sv.Adam, accumulate: int = 1, batch: int = 4) -> sv.Session:
    return sv.compile(
        sv.plan(network(), torch.zeros(batch * accumulate, 6), optimizer=optimizer, accumulate=accumulate)
    )


@pytest.mark.parametrize(
    ("optimizer", "accumulate"),
    [
        (sv.SGD(0.1), 1),
        (sv.SGD(0.1, momentum=0.9), 1),
        (sv.SGD(0.1, momentum=0.9, dampening=0.5), 1),
        (sv.SGD(0.1, momentum=0.9, nesterov=True, weight_decay=0.01), 1),
        (sv.Adam(0.01), 2),
        (sv.SGD(0.1, clip_norm=0.01), 3),
    ],
)
def test_a_gradient_is_that_of_pytorch_and_nothing_changes(optimizer: sv.SGD | sv.Adam, accumulate: int) -> None:
    session = compiled(optimizer, accumulate)
    session.step(X[: 4 * accumulate], Y[: 4 * accumulate], lr=0.0)  # the optimiser remembers, the weights stay
    before = session.snapshot()
    found = gradient(session, X[8:12], Y[8:12])
    assert same(session.snapshot(), before)
    net = network()
    torch.nn.functional.cross_entropy(net(torch.from_numpy(X[8:12])), torch.from_numpy(Y[8:12]).long()).backward()
    wanted = {n: p.grad for n, p in net.named_parameters()}
    assert found.keys() == wanted.keys()
    for name, grad in wanted.items():
        assert grad is not None
        ours = found[name] if found[name].shape == tuple(grad.shape) else found[name].T
        assert np.abs(ours - grad.numpy()).max() < 3e-6, name


@pytest.mark.parametrize("optimizer", [sv.SGD(0.1, clip_norm=1.0), sv.SGD(0.1, clip_value=1.0), sv.Adam(0.1)])
def test_what_hides_the_gradient_is_refused(optimizer: sv.SGD | sv.Adam) -> None:
    with pytest.raises(NotSupported, match="accumulate=2"):
        gradient(compiled(optimizer), X[:4], Y[:4])


def test_the_scale_is_that_of_the_samples() -> None:
    """tr(Sigma) / |G|^2 of all 512 gradients, sample by sample, beside the estimate of 400 batches of 4."""
    net, grads = network(), []
    for x, y in zip(torch.from_numpy(X), torch.from_numpy(Y).long(), strict=True):
        net.zero_grad()
        torch.nn.functional.cross_entropy(net(x[None]), y[None]).backward()
        grads.append(torch.cat([p.grad.ravel() for p in net.parameters() if p.grad is not None]).double().numpy())
    each = np.stack(grads)
    mean = each.mean(0)
    wanted = float(((each - mean) ** 2).sum(1).mean() / (mean**2).sum())
    rng = np.random.default_rng(5)

    def lesson(n: int) -> tuple[np.ndarray, np.ndarray]:
        rows = rng.integers(len(Y), size=n)
        return X[rows], Y[rows]

    found = noise_scale(compiled(sv.SGD(0.1)), lesson, batches=400)
    assert found.scale == pytest.approx(wanted, rel=0.25)
    assert found.share(1) < found.share(100) < 1
    with pytest.raises(InvalidInput, match="batches"):
        noise_scale(compiled(sv.SGD(0.1)), lesson, batches=1)


def test_samples_that_agree_need_one_micro_batch_and_noise_all() -> None:
    session = compiled(sv.SGD(0.05), accumulate=8, batch=1)
    alike = auto_rate(session, lambda n: (np.repeat(X[:1], n, 0), np.repeat(Y[:1], n)))
    assert (alike.parts, alike.scale is not None) == (1, True)
    rng = np.random.default_rng(6)

    def noise(n: int) -> tuple[np.ndarray, np.ndarray]:
        return rng.normal(size=(n, 6)).astype(np.float32), rng.integers(0, 3, n).astype(np.int32)

    assert auto_rate(session, noise).parts == 8
    assert "noise scale" in str(alike)


def test_a_found_pace_goes_on_and_anothers_is_refused() -> None:
    one, other = Found(4), Found(4)
    assert not one.there
    one.put(0.01, 3)
    other.load_state_dict(one.state_dict())
    assert (other.there, other.rate, other.parts) == (True, 0.01, 3)
    for numbers in ([0.01, 5.0], [-1.0, 1.0], [np.nan, 1.0], [0.01, 0.0], [0.1]):
        with pytest.raises(InvalidInput, match="pace"):
            other.load_state_dict({"numbers": np.array(numbers)})
    assert other.rate == 0.01
