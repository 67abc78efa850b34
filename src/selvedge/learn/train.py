"""Training a session on data: epochs in a seeded order, the best one kept, an interrupt without a trace."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..artifact.schedule import Schedule
from ..errors import InvalidInput, SelvedgeError
from ..run.ports import NotFinite
from ..run.session import Session
from . import checkpoint as checkpoints
from .checkpoint import Place
from .metrics import Arrays, Pair, Samples, Score, dummy, score

EVERY = 30.0  # seconds between checkpoints within an epoch


class Diverged(SelvedgeError):
    """The loss became NaN or infinite. The session is as after its best epoch, or as it began."""

    def __init__(self, loss: float, epoch: int, rate: float, kept: int | None) -> None:
        state = "as it began" if kept is None else f"as after epoch {kept}"
        super().__init__(
            f"loss is {loss} in epoch {epoch}: training stopped and the model is {state}; "
            f"lower the learning rate, as lr={rate / 10:.2g} instead of {rate:.2g}, or scale the input"
        )
        self.loss, self.epoch, self.rate, self.kept = loss, epoch, rate, kept


@dataclass(frozen=True, slots=True)
class Epoch:
    """``number`` from 1; ``steps`` done by its end; the mean loss of its steps; then of what was held out."""

    number: int
    steps: int
    train_loss: float
    loss: float
    accuracy: float | None

    @property
    def score(self) -> Score:
        return Score(self.loss, self.accuracy)


@dataclass(frozen=True, slots=True)
class Progress:
    """Before the batch ``batch`` of ``batches`` of ``epoch`` (from 1) of ``epochs``; ``last``: the epoch before."""

    epoch: int
    epochs: int
    batch: int
    batches: int
    last: Epoch | None


@dataclass(frozen=True, slots=True)
class Fitted:
    """``history``: an entry an epoch. ``best``: the one whose weights the session now has (None: not one was finished).
    ``dummy``: what guessing reaches. ``ended``: "done", "early" (patience) or "interrupted". ``seconds``: of this call.
    ``step_s``: the median step, in seconds, data loading apart."""

    history: tuple[Epoch, ...]
    best: Epoch | None
    dummy: Score
    ended: str
    seconds: float
    step_s: float

    @property
    def last(self) -> Epoch | None:
        return self.history[-1] if self.history else None

    def to_dict(self) -> dict[str, Any]:
        """The figures, for machines."""
        return {
            "epochs": [asdict(e) for e in self.history],
            "best": None if self.best is None else asdict(self.best),
            "last": None if self.last is None else asdict(self.last),
            "dummy": asdict(self.dummy),
            "ended": self.ended,
            "seconds": self.seconds,
            "step_seconds": self.step_s,
        }


def fit(
    session: Session, data: Samples | Pair, *, epochs: int = 10, steps: int | None = None,
    validation: Samples | Pair | None = None, schedule: Schedule | None = None, seed: int = 0,
    patience: int | None = None, checkpoint: str | Path | None = None, resume: bool = False,
    on_progress: Callable[[Progress], None] = lambda now: None, stop: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.perf_counter,
) -> Fitted:  # fmt: skip
    """Train ``session`` on ``data`` for ``epochs``, or for ``steps`` updates, and leave it at its best epoch.

    An epoch takes the samples in an order drawn from (``seed``, epoch), in batches of the plan's size; what does not
    fill a batch waits for the next epoch's order. After each, ``validation`` (by default ``data``) is scored; the best
    is the most accurate, then of lowest loss. patience: epochs without a better one, after which it ends. schedule:
    instead of the plan's. ``data`` and ``validation`` may be pairs (x, y) of arrays or tensors. The best epoch's
    copy takes ``persistent_bytes`` of memory beside the session.

    checkpoint: a file written after each epoch, every half minute, and when ``stop()`` says so before a batch;
    with ``resume`` the training goes on from there, and ends with the same bits as one that was never interrupted.

    Raises :class:`Diverged`, ``InvalidInput`` (settings, data, a checkpoint of another training).
    """
    data = _samples("data", data)
    validation = None if validation is None else _samples("validation", validation)
    batch = session.manifest.step_batch
    for field, value in (("epochs", epochs), ("steps", steps), ("patience", patience)):
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
            raise InvalidInput(field, value, "give a whole number >= 1")
    if not isinstance(seed, int) or not 0 <= seed < 1 << 32:
        raise InvalidInput("seed", seed, "give a whole number in 0..4294967295")
    if schedule is not None and not (hasattr(schedule, "lr") and hasattr(schedule, "to_dict")):
        raise InvalidInput("schedule", f"of type {type(schedule).__name__}", "give sv.Constant(0.01), or another")
    if not len(data):
        raise InvalidInput("data", "empty", "give at least one sample to train on")
    batches = max(1, len(data) // batch)
    total = steps if steps is not None else epochs * batches
    rates = schedule or session.manifest.schedule
    settings = {
        "seed": seed,
        "batch": batch,
        "steps": total,
        "schedule": rates.to_dict(),
        "patience": patience,
    }
    path = None if checkpoint is None else Path(checkpoint)
    of = checkpoints.identity(session, data, settings)
    run = _Run(session, data, validation or data, rates, seed, total, batches, path, of, patience, clock)
    if resume:
        if path is None:
            raise InvalidInput("resume", True, "give the checkpoint to go on from")
        run.take_up(checkpoints.load(path, of))
    start = clock()
    ended = run.go(on_progress, stop)
    best = None if run.best is None else run.history[run.best]
    if ended != "interrupted" and run.best is not None:
        session.restore(run.top, session.steps)
    guess = dummy(str(session.manifest.loss), data, run.validation, session)
    return Fitted(tuple(run.history), best, guess, ended, clock() - start, float(np.median(run.times or [0.0])))


def _samples(field: str, given: Any) -> Samples:
    """A pair of arrays (torch tensors too), or samples as they are. Raises ``InvalidInput`` for anything else."""
    if isinstance(given, tuple | list):
        parts = [None if p is None else np.asarray(p.detach().cpu() if hasattr(p, "detach") else p) for p in given]
        if len(parts) != 2 or parts[0] is None or not all(p is None or p.ndim for p in parts):
            said = ", ".join("None" if p is None else str(list(p.shape)) for p in parts[:4])
            raise InvalidInput(field, f"of {said or 'nothing'}", "give a pair of arrays (x, y); y may be None")
        return Arrays(parts[0], parts[1])
    if hasattr(given, "dtype") or not (hasattr(given, "take") and hasattr(given, "__len__")):
        fix = "give a pair of arrays (x, y), or a part of a selvedge.data.Dataset"
        raise InvalidInput(field, f"of type {type(given).__name__}", fix)
    samples: Samples = given
    return samples


class _Run:
    """A training that is under way."""

    def __init__(
        self, session: Session, data: Samples, validation: Samples, rates: Schedule, seed: int, total: int,
        batches: int, path: Path | None, of: dict[str, Any], patience: int | None, clock: Callable[[], float],
    ) -> None:  # fmt: skip
        self.session, self.data, self.validation, self.rates = session, data, validation, rates
        self.seed, self.total, self.batches, self.patience = seed, total, batches, patience
        self.path, self.of, self.clock = path, of, clock
        self.epoch = self.batch = self.done = 0
        self.loss_sum = 0.0
        self.history: list[Epoch] = []
        self.best: int | None = None
        self.top: dict[str, np.ndarray] = {}
        self.times: list[float] = []
        self.began = session.snapshot(), session.steps

    def take_up(self, place: Place) -> None:
        """Stand where ``place`` says."""
        history = [Epoch(**e) for e in place.history]
        if place.batch >= self.batches or place.steps > self.total:
            raise InvalidInput("checkpoint", str(self.path), "its position is out of range: remove it and train anew")
        if place.best is not None and {n: a.shape for n, a in place.top.items()} != {
            n: a.shape for n, a in self.began[0].items()
        }:
            raise InvalidInput("checkpoint", str(self.path), "its best epoch is of another plan: train anew")
        self.session.restore(place.now, self.began[1] + place.steps)
        self.epoch, self.batch, self.done, self.loss_sum = place.epoch, place.batch, place.steps, place.loss_sum
        self.history, self.best, self.top = history, place.best, dict(place.top)

    def go(self, on_progress: Callable[[Progress], None], stop: Callable[[], bool]) -> str:
        """Train to the end; says how it ended."""
        written = self.clock()
        while self.done < self.total and not self._stale():
            order = _order(self.seed, self.epoch, len(self.data))
            while self.batch < self.batches and self.done < self.total:
                if stop():
                    self.save()
                    return "interrupted"
                if self.path is not None and self.clock() - written > EVERY:
                    self.save()
                    written = self.clock()
                epochs = self.epoch + math.ceil((self.total - self.done + self.batch) / self.batches)
                last = self.history[-1] if self.history else None
                on_progress(Progress(self.epoch + 1, epochs, self.batch, self.batches, last))
                self._step(order)
            self._close()
            self.save()
            written = self.clock()
        return "early" if self.done < self.total else "done"

    def _step(self, order: npt.NDArray[np.intp]) -> None:
        size = self.session.manifest.step_batch
        rows = order[self.batch * size : (self.batch + 1) * size]
        x, y = self.data.take(np.resize(rows, size))
        rate = self.rates.lr(self.session.steps)
        start = self.clock()
        try:
            self.loss_sum += self.session.step(x, y, lr=rate)
        except NotFinite as error:
            raise self._diverged(error.loss) from None
        self.times.append(self.clock() - start)
        self.batch += 1
        self.done += 1

    def _close(self) -> None:
        """The end of an epoch."""
        found = score(self.session, self.validation)
        if not math.isfinite(found.loss):
            raise self._diverged(found.loss)
        self.epoch += 1
        self.history.append(Epoch(self.epoch, self.done, self.loss_sum / self.batch, found.loss, found.accuracy))
        if found.better(None if self.best is None else self.history[self.best].score):
            self.best, self.top = len(self.history) - 1, self.session.snapshot()
        self.batch, self.loss_sum = 0, 0.0

    def _stale(self) -> bool:
        return (
            self.patience is not None and self.best is not None and len(self.history) - 1 - self.best >= self.patience
        )

    def _diverged(self, loss: float) -> Diverged:
        rate = self.rates.lr(self.session.steps)
        if self.best is None:
            self.session.restore(*self.began)
        else:
            self.session.restore(self.top, self.session.steps)
        kept = None if self.best is None else self.history[self.best].number
        return Diverged(loss, self.epoch + 1, rate, kept)

    def save(self) -> None:
        if self.path is None:
            return
        history = tuple(asdict(e) for e in self.history)
        now = self.session.snapshot()
        place = Place(self.epoch, self.batch, self.done, self.loss_sum, history, self.best, now, self.top)
        checkpoints.save(self.path, place, self.of)


def _order(seed: int, epoch: int, count: int) -> npt.NDArray[np.intp]:
    """The order of an epoch's samples: a function of seed and epoch, so that no random state has to be carried."""
    return np.asarray(np.random.default_rng([seed, epoch]).permutation(count), np.intp)
