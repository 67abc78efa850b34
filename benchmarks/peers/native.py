"""Selvedge: the plan at frozen norms, compiled for this machine."""

from __future__ import annotations

from functools import cache

import selvedge as sv

from ..work import RATE, Work
from .contestant import Contestant

PROBE = 2.0**20  # the rate of the step that shows the gradients: so large that no weight drowns their digits


@cache
def machine() -> sv.Device:
    """This machine, measured once."""
    return sv.Device.load("this-machine")


def plan(work: Work, norms: str = "frozen") -> sv.Plan:
    return sv.plan(
        work.model(), work.x, loss=work.loss, device=machine(), norms=norms, optimizer=sv.SGD(lr=RATE), name="model"
    )


def prepare(work: Work) -> Contestant:
    model = work.model()
    session = sv.compile(plan(work))
    x, y = work.x.numpy(), None if work.y is None else work.y.numpy()
    first = session.step(x, y, lr=PROBE)
    learnt = session.state_dict()
    gradients = {n: ((p.detach() - learnt[n]) / PROBE).numpy() for n, p in model.named_parameters()}
    session.load_state_dict(model.state_dict())
    return Contestant(lambda: session.step(x, y), first, gradients)
