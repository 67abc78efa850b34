"""What one may do with a stream: learn and be held, learn from everything, adapt without labels, or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from selvedge.learn.guard.anchor import Anchor
from selvedge.learn.learner import Learner
from selvedge.learn.memory.replay import Replay

from .digits import digits
from .starting import BATCH, MOMENTUM, RATE, network, session, trained
from .streams import Stream

MEMORY, HELD_OUT = 256 << 10, 96 << 10  # bytes
TENT_RATE = 1e-3  # Adam's, of the paper
State = dict[str, np.ndarray]


def learner(seed: int) -> Learner:
    """As a device has it: default habits, an anchor of bytes in flash."""
    x, y = digits(seed).anchor
    shape = (1, 28, 28)
    return Learner(
        session(seed),
        memory=Replay(MEMORY, shape, np.float32, classes=10, seed=seed),
        held_out=Replay(HELD_OUT, shape, np.float32, classes=10, seed=seed + 1),
        anchor=Anchor(x, y, margin=0.01),
        seed=seed,
    )


def held(seed: int, stream: Stream) -> tuple[State, dict[str, Any]]:
    """Selvedge's learner: its state behind the stream, and what it tells of itself."""
    own = learner(seed)
    for i, (x, y) in enumerate(zip(stream.x, stream.y, strict=True)):
        own.learn_one(x, int(y))
        if i in stream.pauses:
            own.finish()
    own.finish()
    t = own.tally
    told = {"commits": t.commits, "steps": t.steps, "refused": t.refused, "diary": own.diary.counts}
    return {name: np.asarray(value) for name, value in own.session.state_dict().items()}, told


def naive(seed: int, stream: Stream) -> State:
    """Every labelled sample a step of PyTorch's SGD, with the plan's rate and momentum and frozen statistics."""
    net = network()
    net.load_state_dict(trained(seed))
    net.eval()
    optimiser = torch.optim.SGD(net.parameters(), RATE, MOMENTUM)
    for x, y in zip(torch.from_numpy(stream.x).split(1), torch.from_numpy(stream.y).long().split(1), strict=True):
        optimiser.zero_grad()
        torch.autograd.backward(nn.functional.cross_entropy(net(x), y))
        optimiser.step()
    return _state(net)


def tent(seed: int, stream: Stream) -> State:
    """Wang et al., *Tent* (ICLR 2021): the norms' scale and offset lower the entropy of the predictions, under the
    statistics of the batch. Those are also averaged, for a device that predicts one sample at a time."""
    net = network()
    net.load_state_dict(trained(seed))
    net.train()
    learns = list(_norms(net))
    optimiser = torch.optim.Adam(learns, TENT_RATE)
    for x in torch.from_numpy(stream.x).split(BATCH):
        if len(x) < 2:
            continue
        optimiser.zero_grad()
        logs = net(x).log_softmax(1)
        (-(logs.exp() * logs).sum(1).mean()).backward(inputs=learns)
        optimiser.step()
    return _state(net)


def frozen(seed: int) -> State:
    return {name: value.numpy() for name, value in trained(seed).items()}


def _norms(net: nn.Module) -> Iterator[Tensor]:
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            yield from module.parameters()


def _state(net: nn.Module) -> State:
    return {name: value.detach().numpy() for name, value in net.state_dict().items()}
