"""One pass over the stream: a small CNN learns natively from new samples and from those that its replay holds."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

import selvedge as sv
from selvedge.learn.memory.replay import Recalled, Replay

from .digits import EACH, TASKS, TRAIN, Array, classes, mnist, stream

REPLAY = 32 * 1024
DEVICE = "stm32h743"


@dataclass(frozen=True, slots=True)
class Settings:
    """Chosen on the class order of seed ``digits.VALIDATION``, with the last 5,000 training images held out.

    new, old: of a batch, from the stream and from the replay. rate, momentum: of SGD. shift: pixels that a picture is
    moved by at most, each way, whenever it is learnt from.
    """

    new: int = 10
    old: int = 10
    rate: float = 0.01
    momentum: float = 0.9
    shift: int = 1


@dataclass(frozen=True, slots=True)
class Learnt:
    """right: of each test sample, at the end. after: after each task, the share that is right of its classes so far."""

    right: Array
    after: tuple[float, ...]
    capacity: int
    replay_bytes: int
    held: tuple[int, ...]
    arena: int
    steps: int
    seconds: float  # of the processor, in the pass


class Keeper(Protocol):
    """What is lowered besides the cross entropy, and what that takes: ``bytes``, at the end."""

    bytes: int

    def beside(self, session: Any, x: Array) -> Sequence[Array | None]:
        """What is stored with each new sample."""

    def target(self, session: Any, x: Array, y: Array, stored: Array | None) -> Array:
        """Of a step on a batch x of labels y, with what lay beside the remembered ones."""

    def stepped(self) -> None:
        """A step was made."""

    def learnt(self, session: Any, x: Array, y: Array, known: Array) -> None:
        """A task is over, of samples x; the classes so far are ``known``."""


def network() -> nn.Module:
    """11,018 parameters, 0.15 M multiplications."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1), nn.ReLU(),
        nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(512, 10),
    )  # fmt: skip


def compiled(make: Callable[[], nn.Module], example: torch.Tensor, settings: Settings, seed: int, **more: Any) -> Any:
    """A session of a fresh network on the device, which leaves the replay its bytes."""
    torch.manual_seed(seed)
    ram = sv.Budget.of(sv.Device.load(DEVICE)).ram - REPLAY
    optimizer = sv.SGD(lr=settings.rate, momentum=settings.momentum)
    return sv.compile(sv.plan(make(), example, device=DEVICE, budget=sv.Budget(ram=ram), optimizer=optimizer, **more))


@lru_cache(maxsize=4)
def learnt(codec: str | None, seed: int, settings: Settings, rows: int = TRAIN) -> Learnt:
    """codec: of the replay, None without one. rows: the first ones that make the stream; behind them, what tests.

    What is new is learnt from as the codec will keep it, and the test samples go through it as well: the network sees
    one kind of picture.
    """
    x, _ = mnist()
    batch = settings.new + settings.old
    session = compiled(network, torch.zeros(batch, *x.shape[1:]), settings, seed, preprocess=sv.Preprocess())
    if codec is None:
        return one_pass(session, x, None, seed, settings, rows, moved=True)
    memory = Replay(REPLAY, x.shape[1:], classes=10, seed=seed, codec=codec)

    def kept(pictures: Array) -> Array:
        return memory.codec.decode(memory.codec.encode(pictures), memory.sample_shape, memory.dtype)

    return one_pass(session, x, memory, seed, settings, rows, kept, moved=True)


def one_pass(
    session: Any,
    x: Array,
    memory: Replay | None,
    seed: int,
    settings: Settings,
    rows: int,
    seen: Callable[[Array], Array] = lambda samples: samples,
    moved: bool = False,
    keeper: Keeper | None = None,
) -> Learnt:
    """Learn from the stream of samples of ``x``, each once as new; what is new is offered to ``memory`` before the step
    and drawn from it earlier. Without a memory the whole batch is new. seen: what becomes of a new or a test sample.
    keeper: what else is lowered; by default nothing but the cross entropy."""
    _, y = mnist()
    order, pairs = stream(y, seed, rows), classes(seed)
    test = np.arange(TRAIN, len(y)) if rows == TRAIN else np.arange(rows, TRAIN)
    tested, batch = seen(x[test]), settings.new + settings.old
    new = batch if memory is None else settings.new
    ends = np.cumsum([np.isin(y[order], pairs[EACH * t : EACH * t + EACH]).sum() for t in range(TASKS)])
    rng, began = np.random.default_rng([10, seed]), time.process_time()
    after: list[float] = []
    for start in range(0, len(order) - new + 1, new):
        at = order[start : start + new]
        samples, labels = seen(x[at]), y[at]
        if memory is not None:
            filled = np.arange(settings.old) % new  # until the memory holds as many
            held = len(memory) >= settings.old
            earlier = memory.recall(settings.old) if held else Recalled(samples[filled], labels[filled], None)
            samples, labels = np.concatenate([samples, earlier.x]), np.concatenate([labels, earlier.y])
            beside = [None] * new if keeper is None else keeper.beside(session, samples[:new])
            for i, said in zip(at, beside, strict=True):
                memory.add(x[i], int(y[i]), said)
        lesson = shifted(samples, settings.shift, rng) if moved else samples
        if keeper is None:
            session.step(lesson, labels)
        else:
            session.step(lesson, keeper.target(session, lesson, labels, None if memory is None else earlier.beside))
            keeper.stepped()
        if len(after) < TASKS - 1 and start + new >= ends[len(after)]:
            right = told(session, tested, batch) == y[test]
            after.append(float(right[np.isin(y[test], pairs[: EACH * len(after) + EACH])].mean()))
            if keeper is not None:
                task = order[int(ends[len(after) - 2]) if len(after) > 1 else 0 : int(ends[len(after) - 1])]
                keeper.learnt(session, seen(x[task]), y[task], pairs[: EACH * len(after)])
    right = told(session, tested, batch) == y[test]
    capacity, replay_bytes = (0, 0) if memory is None else (memory.capacity, memory.bytes)
    held = () if memory is None else tuple(int(n) for n in memory.held)
    seconds = time.process_time() - began
    end = (*after, float(right.mean()))
    return Learnt(right, end, capacity, replay_bytes, held, session.arena_bytes, session.steps, seconds)


def told(session: Any, x: Array, batch: int) -> Array:
    """The class that is told of each; the last batch is filled up."""
    filled = np.concatenate([x, np.repeat(x[-1:], -len(x) % batch, axis=0)])
    logits = [session.predict(filled[i : i + batch]) for i in range(0, len(filled), batch)]
    return np.concatenate(logits)[: len(x)].argmax(1)


def shifted(x: Array, by: int, rng: np.random.Generator) -> Array:
    """Each picture moved by at most ``by`` pixels each way; what comes in is 0."""
    rows, columns = x.shape[-2:]
    room = np.pad(x, ((0, 0), (0, 0), (by, by), (by, by)))
    places = rng.integers(0, 2 * by + 1, (len(x), 2))
    return np.stack([p[:, a : a + rows, b : b + columns] for p, (a, b) in zip(room, places, strict=True)])


def settled(settings: Settings) -> dict[str, Any]:
    return {**asdict(settings), "replay": REPLAY, "device": DEVICE}
