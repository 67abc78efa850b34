"""PyTorch eager: the reference of every loss and gradient, and the peak of its allocator."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..work import RATE, WithLoss, Work
from .contestant import Contestant, silenced


def prepare(work: Work) -> Contestant:
    module = WithLoss(work.model())
    return contestant(work, module, module)


def contestant(work: Work, module: WithLoss, forward: Callable[..., torch.Tensor]) -> Contestant:
    """``forward`` computes ``module``'s loss: the module itself, or what was compiled of it."""
    optimizer = torch.optim.SGD(module.parameters(), lr=RATE, fused=True)
    first = forward(work.x, work.y)
    first.backward()
    gradients = {n.removeprefix("model."): p.grad.numpy() for n, p in module.named_parameters() if p.grad is not None}

    def step() -> float:
        optimizer.zero_grad(set_to_none=True)
        value = forward(work.x, work.y)
        value.backward()
        optimizer.step()
        return float(value.detach())

    return Contestant(step, float(first.detach()), gradients)


def allocated(work: Work) -> int:
    """Peak bytes of PyTorch's CPU allocator in one eager step, parameters and input included, the process apart.

    The profiler records every allocation and release; the peak is that of their running sum.
    """
    module = WithLoss(work.model())
    optimizer = torch.optim.SGD(module.parameters(), lr=RATE)
    held = sum(t.numel() * t.element_size() for t in (*module.state_dict().values(), work.x))

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        module(work.x, work.y).backward()
        optimizer.step()

    step()
    optimizer.zero_grad(set_to_none=True)
    kinds = [torch.profiler.ProfilerActivity.CPU]
    with silenced(), torch.profiler.profile(activities=kinds, profile_memory=True) as profile:
        step()
    now = peak = 0
    for event in profile.profiler.kineto_results.events():
        if event.name() == "[memory]":
            now += event.nbytes()
            peak = max(peak, now)
    return held + peak
