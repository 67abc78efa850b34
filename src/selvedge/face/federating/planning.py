"""The plan of each kind of device: all of its model learns there, or it is refused before anything begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import nn

from ...capture.optimizer import SGD
from ...device import Device
from ...errors import DoesNotFit
from ...make.plan import Plan
from .. import model as models
from ..calibrate import calibrate
from ..job import Job, Terms, planned
from ..progress import Work
from .kind import Kind
from .wish import Wish


def plans(wish: Wish, of: Sequence[Kind], job: Job, work: Work) -> list[Plan]:
    """Of each kind. Raises ``SelvedgeError``; ``DoesNotFit`` names the device."""
    return [_plan(wish, kind, job, work) for kind in of]


def _plan(wish: Wish, kind: Kind, job: Job, work: Work) -> Plan:
    if kind.model:
        classes = len(job.data.labels) if job.loss in ("cross_entropy", "bce_with_logits") else 0
        known = models.Known(tuple(job.example.shape[1:]), classes)
        shape = wish.shape if ".py:" in kind.model else None
        own = models.load(kind.model, shape, wish.seed, known)
        job = replace(job, name=own.name, model=own.model, example=own.example[0])
        if isinstance(job.model, nn.Module):
            calibrate(job.model, job.data)
    device = Device.load(kind.profile)
    terms = Terms(device, None, SGD(lr=wish.lr), "constant", "full", wish.norms, wish.batch, 1)
    try:
        return planned(job, terms, work)
    except DoesNotFit as error:
        ways = [error.cheapest_change, None if kind.model else f"a narrower model for it, --device {kind.name}=MODEL"]
        raise DoesNotFit(
            f"{error.resource} of {kind.name}", error.need, error.have, "; or ".join(filter(None, ways)), error.changes
        ) from None
