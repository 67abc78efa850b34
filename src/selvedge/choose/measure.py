"""How much each tensor contributes, measured with compiled sessions that update everything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from ..artifact.schedule import Cosine
from ..learn.metrics import Samples, score
from ..run.ports import NotFinite
from ..run.session import Session
from .contribution import FRACTIONS

Array = np.ndarray
Rates = Callable[[int], float]
SLOT = ".momentum"


@dataclass
class Alone:
    """A session in which only some tensors learn, whatever its plan updates.

    A step computes every gradient at the weights as they are and then changes them; here all but the chosen ones (and
    their optimiser's state) are put back after each step, which is exactly the step of a plan that updates those.
    """

    session: Session

    def __post_init__(self) -> None:
        self.start = self.session.snapshot()

    def train(self, names: Sequence[str], data: Samples, rates: Rates, rows: Array) -> None:
        """From the start, a step for each batch of ``rows`` [steps, batch]. Raises ``NotFinite``."""
        session, still = self.session, _learnt(self.session).difference(names)
        session.restore(self.start, 0)
        for i, batch in enumerate(rows):
            x, y = data.take(batch)
            session.step(x, y, lr=rates(i))
            after = session.snapshot()
            session.restore({n: self.start[n] if _of(n, still) else a for n, a in after.items()}, session.steps)


def _learnt(session: Session) -> set[str]:
    return {n for n, e in session.manifest.state.items() if e.region == "state" and e.kind != "optimizer"}


def _of(name: str, parameters: set[str]) -> bool:
    """Whether ``name`` is one of ``parameters`` or of its optimiser's state."""
    return name in parameters or name.rpartition(".")[0] in parameters


def loss_decrease(
    session: Session, names: Sequence[str], train: Samples, held_out: Samples, rows: Array, lr: float
) -> float:
    """The loss that ``held_out`` loses when ``names`` alone learn over ``rows`` [steps, batch]: at least 0, and 0 where
    they diverge. The rate falls from ``lr`` by half a cosine. The session is left as it was."""
    work = Alone(session)
    before = score(session, held_out).loss
    try:
        work.train(names, train, Cosine(lr, len(rows)).lr, rows)
        gain = before - score(session, held_out).loss
    except NotFinite:
        return 0.0
    finally:
        session.restore(work.start, 0)
    return max(0.0, gain) if np.isfinite(gain) else 0.0


def allocation(
    session: Session, gradients: Session, train: Samples, held_out: Samples, rows: Array, lr: float, points: int
) -> dict[str, Array]:
    """Tensor -> the loss that ``held_out`` loses through each of its weights while all tensors learn together.

    The loss along a path of learning changes by the integral of gradient times movement, and that is a sum over the
    weights: what each tensor contributes, with nothing counted twice (loss change allocation: Lan et al.,
    arXiv:1909.01440, eq. 3). Here by the midpoint rule over ``points`` pieces of the path.

    gradients: as for :func:`fisher`. Both sessions are left as they were. Raises ``NotFinite``.
    """
    start, own = session.snapshot(), gradients.snapshot()
    names = [n for n in own if n + SLOT in own]
    sums = {n: np.zeros(own[n].shape) for n in names}
    rates, before = Cosine(lr, len(rows)).lr, start
    try:
        session.restore(start, 0)
        for piece in np.array_split(np.arange(len(rows)), min(points, len(rows))):
            for i in piece:
                x, y = train.take(rows[i])
                session.step(x, y, lr=rates(int(i)))
            after = session.snapshot()
            middle = {n: ((before[n] + after[n]) / 2).astype(a.dtype) if n in sums else a for n, a in own.items()}
            gradients.restore(middle, 0)
            for k in range(len(held_out)):
                gradients.step(*held_out.take(np.array([k])), lr=0.0)
            slopes = gradients.snapshot()
            for n in names:
                sums[n] -= slopes[n + SLOT] * (after[n].astype(np.float64) - before[n]) / len(held_out)
            before = after
    finally:
        session.restore(start, 0)
        gradients.restore(own, 0)
    return {n: _face(gradients, n, total) for n, total in sums.items()}


def fisher(gradients: Session, samples: Samples) -> dict[str, Array]:
    """Tensor -> the mean over samples of (dL/dw)^2, in PyTorch's layout: the diagonal of the empirical Fisher
    information (Theis et al., arXiv:1801.05787, section 2).

    gradients: a session of SGD with momentum 1 at batch 1. At a rate of 0 its step leaves the weights alone, and the
    momentum that began at zero is the gradient itself. It is left as it was.
    """
    start = gradients.snapshot()
    sums = {n: np.zeros(a.shape) for n, a in start.items() if n + SLOT in start}
    try:
        for i in range(len(samples)):
            gradients.restore(start, 0)
            gradients.step(*samples.take(np.array([i])), lr=0.0)
            found = gradients.snapshot()
            for n in sums:
                sums[n] += found[n + SLOT].astype(np.float64) ** 2
    finally:
        gradients.restore(start, 0)
    return {n: _face(gradients, n, total / len(samples)) for n, total in sums.items()}


def first_order(gradients: Session, samples: Samples) -> dict[str, Array]:
    """Tensor -> (d mean L / dw)^2, in PyTorch's layout: what the loss loses in one step of SGD, to first order, divided
    by its rate. gradients: as for :func:`fisher`."""
    start = gradients.snapshot()
    try:
        for i in range(len(samples)):
            gradients.step(*samples.take(np.array([i])), lr=0.0)
        summed = gradients.snapshot()
    finally:
        gradients.restore(start, 0)
    found = {n: (summed[n + SLOT].astype(np.float64) / len(samples)) ** 2 for n in start if n + SLOT in start}
    return {n: _face(gradients, n, squared) for n, squared in found.items()}


def shares(each: Array, axis: int) -> tuple[float, ...]:
    """How much of the whole the first 1/8, 1/4 and 1/2 of ``axis`` (input channels; rounded up) hold, to four digits,
    at most 1; () where there is one channel, or nothing to share."""
    channels = np.moveaxis(each, axis, 0).reshape(each.shape[axis], -1).sum(1)
    total = channels.sum()
    if len(channels) < 2 or total <= 0:
        return ()
    held = [float(channels[: ceil(f * len(channels))].sum() / total) for f in FRACTIONS]
    return tuple(round(min(1.0, max(0.0, share)), 4) for share in held)


def batches(count: int, steps: int, size: int, seed: int) -> Array:
    """[steps, size] sample numbers: epochs in seeded orders, one after the other."""
    epochs = -(-steps * size // count)
    order = np.concatenate([np.random.default_rng([seed, e]).permutation(count) for e in range(epochs)])
    return order[: steps * size].reshape(steps, size)


def _face(session: Session, name: str, stored: Array) -> Array:
    layout = session.manifest.state[name].layout
    return layout.restore(stored) if layout else stored
