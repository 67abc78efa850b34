"""The streams: what the world may do to a learner, kind by kind, and what it may bring."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch

from .camera import CHANGES
from .digits import digits
from .starting import float_pictures, network, trained

LENGTH = 500
Array = np.ndarray
Random = np.random.Generator


@dataclass(frozen=True, slots=True)
class Stream:
    """x float32 [n, 1, 28, 28], y int32 [n]. pauses: behind these samples nothing comes for a while. change: of the
    camera, under which what was gained is counted; "" for a stream that is meant to do harm."""

    name: str
    x: Array
    y: Array
    pauses: frozenset[int] = field(default=frozenset())
    change: str = ""


def streams(family: str, seed: int, length: int = LENGTH) -> Iterator[Stream]:
    """Those of a family, from digits that neither the model nor the anchor has had."""
    made = FAMILIES[family](np.random.default_rng([23, seed, list(FAMILIES).index(family)]), seed, length)
    yield from made


def _drawn(rng: Random, seed: int, n: int, classes: tuple[int, ...] = tuple(range(10))) -> tuple[Array, Array]:
    x, y = digits(seed).pool
    rows = rng.choice(np.flatnonzero(np.isin(y, classes)), n, replace=False)
    return float_pictures(x[rows]), y[rows].copy()


def _others(rng: Random, y: Array) -> Array:
    """A wrong label each, all nine alike."""
    return np.asarray((y + rng.integers(1, 10, len(y))) % 10, np.int32)


def _ordered(rng: Random, seed: int, n: int) -> Iterator[Stream]:
    x, y = _drawn(rng, seed, n)
    rows = np.argsort(rng.permutation(10)[y], kind="stable")
    yield Stream("class after class", x[rows], y[rows])
    runs = []
    while sum(map(len, (r[1] for r in runs))) < n:
        runs.append(_drawn(rng, seed, int(rng.integers(20, 80)), (int(rng.integers(10)),)))
    yield Stream("long runs of a class", *(np.concatenate(part)[:n] for part in zip(*runs, strict=True)))


def _noise(rng: Random, seed: int, n: int) -> Iterator[Stream]:
    for percent in (10, 20, 30, 40, 50, 60):
        x, y = _drawn(rng, seed, n)
        yield Stream(f"{percent} % of the labels wrong", x, np.where(rng.random(n) < percent / 100, _others(rng, y), y))


def _swaps(rng: Random, seed: int, n: int) -> Iterator[Stream]:
    x, y = _drawn(rng, seed, n)
    a, b = (int(c) for c in rng.choice(10, 2, replace=False))
    yield Stream("two classes exchanged", x, np.where(y == a, b, np.where(y == b, a, y)).astype(np.int32))
    x, y = _drawn(rng, seed, n)
    yield Stream("60 % called the next class", x, np.where(rng.random(n) < 0.6, (y + 1) % 10, y).astype(np.int32))
    x, y = _drawn(rng, seed, n)
    yield Stream("every class renamed", x, rng.permutation(10).astype(np.int32)[y])


def _one(rng: Random, seed: int, n: int) -> Iterator[Stream]:
    own = int(rng.integers(10))
    yield Stream("one class only", *_drawn(rng, seed, n, (own,)))
    x, y = _drawn(rng, seed, n, (own,))
    yield Stream("one class only, called another", x, np.full_like(y, (own + 1 + rng.integers(9)) % 10))
    yield Stream("two classes only", *_drawn(rng, seed, n, (own, (own + 5) % 10)))


def _constant(rng: Random, seed: int, n: int) -> Iterator[Stream]:
    x, y = _drawn(rng, seed, 1)
    yield Stream("one picture for ever", np.repeat(x, n, 0), np.repeat(y, n))
    yield Stream("one picture for ever, wrong label", np.repeat(x, n, 0), np.repeat(_others(rng, y), n))
    yield Stream("black, any label", np.zeros((n, 1, 28, 28), np.float32), rng.integers(0, 10, n).astype(np.int32))


def _hostile(rng: Random, seed: int, n: int) -> Iterator[Stream]:
    x, y = _drawn(rng, seed, 3 * n)
    losses, _, logits = _seen_by_the_model(seed, x, y)
    rows = np.argsort(-losses, kind="stable")[:n]
    yield Stream("hardest first", x[rows], y[rows])
    x, y = _drawn(rng, seed, 3 * n)
    rows = np.argsort(_alignment(seed, x, y), kind="stable")[:n]
    yield Stream("what makes it forget most, first", x[rows], y[rows])
    x, y = _drawn(rng, seed, n)
    _, _, logits = _seen_by_the_model(seed, x, y)
    yield Stream("the least likely label", x, logits.argmin(1).astype(np.int32))


def _bursts(rng: Random, seed: int, n: int) -> Iterator[Stream]:
    for name, wrong in (("bursts of a class, silence between", False), ("bursts, every other one mislabelled", True)):
        parts, ends = [], []
        while sum(len(p[1]) for p in parts) < n:
            x, y = _drawn(rng, seed, int(rng.integers(5, 60)), (int(rng.integers(10)),))
            parts.append((x, np.full_like(y, rng.integers(10)) if wrong and len(parts) % 2 else y))
            ends.append(sum(len(p[1]) for p in parts) - 1)
        x, y = (np.concatenate(part)[:n] for part in zip(*parts, strict=True))
        yield Stream(name, x, y, frozenset(ends))


def _broken(rng: Random, seed: int, n: int) -> Iterator[Stream]:
    for name, value in (("pieces of NaN", np.nan), ("pieces of Inf", np.inf), ("pieces of 1e30", 1e30)):
        x, y = _drawn(rng, seed, n)
        for i in np.flatnonzero(rng.random(n) < 0.2):
            top, left = rng.integers(0, 20, 2)
            x[i, 0, top : top + 8, left : left + 8] = value * (1 if rng.random() < 0.5 else -1)
        yield Stream(name, x, y)


def _foreign(rng: Random, seed: int, n: int) -> Iterator[Stream]:
    labels = rng.integers(0, 10, (2, n)).astype(np.int32)
    yield Stream("noise, any label", rng.random((n, 1, 28, 28), np.float32), labels[0])
    x, y = _drawn(rng, seed, n)
    pixels = rng.permutation(28 * 28)
    yield Stream("pixels shuffled", x.reshape(n, -1)[:, pixels].reshape(x.shape), y)
    x, _ = _drawn(rng, seed, n)
    yield Stream("digits, any label", x, labels[1])


def _bright(rng: Random, seed: int, n: int) -> Iterator[Stream]:
    x, y = _drawn(rng, seed, n)
    yield Stream("twenty times too bright", np.float32(20) * x, y)
    x, y = _drawn(rng, seed, n)
    yield Stream("inverted, 50 % of the labels wrong", 1 - x, np.where(rng.random(n) < 0.5, _others(rng, y), y))


def _benign(rng: Random, seed: int, n: int) -> Iterator[Stream]:
    for name, change in CHANGES.items():
        x, y = _drawn(rng, seed, n)
        yield Stream(name, change(x), y, change=name)


FAMILIES: Mapping[str, Callable[[Random, int, int], Iterator[Stream]]] = {
    "ordered": _ordered, "noise": _noise, "swaps": _swaps, "one": _one, "constant": _constant, "hostile": _hostile,
    "bursts": _bursts, "broken": _broken, "foreign": _foreign, "bright": _bright, "benign": _benign,
}  # fmt: skip


def _seen_by_the_model(seed: int, x: Array, y: Array) -> tuple[Array, Array, Array]:
    """Of each sample the loss [n], what the last layer sees [n, features], and the logits [n, 10]."""
    net = network()
    net.load_state_dict(trained(seed))
    net.eval()
    with torch.no_grad():
        features = net[:-1](torch.from_numpy(x))
        logits = net[-1](features)
        losses = torch.nn.functional.cross_entropy(logits, torch.from_numpy(y).long(), reduction="none")
    return losses.numpy(), features.numpy(), logits.numpy()


def _alignment(seed: int, x: Array, y: Array) -> Array:
    """How much a step on each sample would lower the loss on the model's training digits: the product of both
    gradients of the last layer's weights, which needs no backward pass."""

    def residuals(logits: Array, labels: Array) -> Array:
        p = np.exp(logits - logits.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        p[np.arange(len(p)), labels] -= 1
        return p

    own, labels = digits(seed).train
    _, features, logits = _seen_by_the_model(seed, float_pictures(own), labels)
    whole = residuals(logits, labels).T @ features / len(labels)
    _, features, logits = _seen_by_the_model(seed, x, y)
    return np.einsum("nc,cf,nf->n", residuals(logits, y), whole, features)
