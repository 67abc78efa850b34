"""A ready loop: seeded epochs, one chosen on validation data, the last one kept too."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ...artifact.number import finite
from ...errors import InvalidInput
from .. import samples
from ..course import Course, Rows, learn
from ..still import still
from .features import Inputs
from .module import Distil
from .teacher import tried

SCORED = 256  # samples of validation data at once
FROZEN = ("ranges_frozen", "norms_frozen")  # of a QAT

State = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class Epoch:
    """``number`` from 1. train_loss: the mean of :meth:`Distil.loss` over its steps. loss, accuracy: cross-entropy and
    share of right answers on the validation data."""

    number: int
    train_loss: float
    loss: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class Distilled:
    """``student``: the object that was given, with the weights of the epoch ``best``. ``history``: an entry an epoch.
    ``last_state``: the state dict at the last epoch. ``distil``: links, adapters, and the cache if there is one."""

    student: nn.Module
    history: tuple[Epoch, ...]
    best: Epoch
    last_state: State
    distil: Distil

    @property
    def last(self) -> Epoch:
        return self.history[-1]


def distil(
    student: nn.Module, teacher: Any, terms: Any, *, data: tuple[Any, Any], validation: tuple[Any, Any],
    epochs: int = 10, batch: int = 64, lr: float = 1e-3, alpha: float = 1.0, seed: int = 0,
    cache: str | Path | None = None, cache_dtype: str = "float16",
    on_progress: Callable[[Epoch], None] = lambda epoch: None,
) -> Distilled:  # fmt: skip
    """Train ``student`` by a :class:`Distil` of ``teacher`` and ``terms`` and leave it at the epoch that is the most
    accurate on ``validation`` (then of least loss).

    data, validation: (x, y), x [N, ...] or a tuple of inputs, y int [N]. Adam at ``lr``, falling to 0 along a cosine
    over all steps; the order of an epoch is drawn from (``seed``, epoch), dropout from ``seed``, and torch's own
    generator is left where it was. A :class:`selvedge.QAT` student is trained by its ``epochs``, so that ranges and
    norms freeze as they should. cache: a folder for the teacher's answers on ``data`` (:meth:`Distil.cache`).
    on_progress: after each epoch.

    Raises :class:`selvedge.InvalidInput`, also where the loss is no longer finite. The student is then as it was, and
    behind Ctrl-C too: weights, gradients, modes, and what of a QAT was frozen.
    """
    for field, value in (("epochs", epochs), ("batch", batch)):
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise InvalidInput(field, value, "give a whole number, 1 or more")
    rate = finite(lr)
    if rate is None or rate <= 0:
        raise InvalidInput("lr", lr, "give a number above 0, as 1e-3")
    (x, y), (vx, vy) = _pair("data", data), _pair("validation", validation)
    if not callable(on_progress):
        raise InvalidInput("on_progress", on_progress, "give a function of an Epoch, or leave it out")
    made = Distil(student, teacher, terms, example=tuple(i[:4] for i in x), alpha=alpha, seed=seed)
    _require_scorable(student, vx, vy)
    if cache is not None:
        made.cache(cache, [x], dtype=cache_dtype)
    with _undone(student):
        history, best, top = _train(made, x, y, (vx, vy), epochs, batch, rate, seed, on_progress)
    last = copy.deepcopy(student.state_dict())
    student.load_state_dict(top)
    student.eval()
    return Distilled(student, tuple(history), best, last, made)


@contextmanager
def _undone(student: nn.Module) -> Iterator[None]:
    """``student`` is as it was where the block raises."""
    state = copy.deepcopy(student.state_dict())
    gradients = {p: p.grad for p in student.parameters()}
    modes = [(m, m.training) for m in student.modules()]
    frozen = {name: getattr(student, name) for name in FROZEN if hasattr(student, name)}
    try:
        yield
    except BaseException:
        student.load_state_dict(state)
        for name, value in frozen.items():
            setattr(student, name, value)
        student.train(modes[0][1])  # it may do more than set flags, as QAT's does
        for module, was in modes:
            module.training = was
        for parameter, gradient in gradients.items():
            parameter.grad = gradient
        raise


def _require_scorable(student: nn.Module, x: Inputs, y: Tensor) -> None:
    """Refuse validation data that would only be found wrong behind the first epoch."""
    logits = tried("student", student, tuple(i[:1] for i in x), "validation").output
    if logits.dim() != 2:
        fix = "the ready loop scores one class a sample: train by sv.Distil in your own"
        raise InvalidInput("output of the student", list(logits.shape), fix)
    outside = y[(y < 0) | (y >= logits.shape[1])]
    if len(outside):
        raise InvalidInput("validation", f"with class {int(outside[0])}", f"give classes of 0 to {logits.shape[1] - 1}")


def _train(
    made: Distil, x: Inputs, y: Tensor, validation: tuple[Inputs, Tensor], epochs: int, batch: int, rate: float,
    seed: int, on_progress: Callable[[Epoch], None],
) -> tuple[list[Epoch], Epoch, State]:  # fmt: skip
    student = made.student
    history: list[Epoch] = []

    def loss(rows: Rows) -> Tensor:
        at = torch.from_numpy(rows)
        return made.loss(tuple(i[at] for i in x), y[at], index=rows)

    def judge() -> tuple[float, float]:
        value, right = _score(student, *validation)
        return right, -value

    def after(epoch: int, mean: float, judged: tuple[float, float]) -> None:
        history.append(Epoch(epoch + 1, mean, -judged[1], judged[0]))
        on_progress(history[-1])

    def order(epoch: int) -> Rows:
        return np.random.default_rng([seed, epoch]).permutation(len(y))

    found = learn(
        student, len(y), loss, judge, lambda: copy.deepcopy(student.state_dict()),
        Course(epochs, batch, rate, order, seed), whole=made, after=after,
    )  # fmt: skip
    return history, history[found.epoch - 1], found.best


def _score(student: nn.Module, x: Inputs, y: Tensor) -> tuple[float, float]:
    """(cross-entropy, share of right answers)."""
    with still(student):
        z = torch.cat([student(*(i[at : at + SCORED] for i in x)) for at in range(0, len(y), SCORED)])
    return float(functional.cross_entropy(z, y)), float((z.argmax(1) == y).double().mean())


def _pair(field: str, given: Any) -> tuple[Inputs, Tensor]:
    fix = "give (x, y): samples [N, ...] and their classes, whole numbers [N]"
    if not isinstance(given, tuple | list) or len(given) != 2 or given[1] is None:
        raise InvalidInput(field, f"of type {type(given).__name__}", fix)
    x = given[0] if isinstance(given[0], tuple) else (given[0],)
    parts = samples.batches([x], field)[0]
    y = torch.as_tensor(given[1])
    if y.dtype.is_floating_point or y.dim() != 1 or len(y) != len(parts[0]):
        raise InvalidInput(field, f"with y {y.dtype} {list(y.shape)} for {len(parts[0])} samples", fix)
    return parts, y.long()
