"""Many coarse samples or few fine ones: which codec a byte budget is best spent on, measured before learning begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ...errors import InvalidInput
from ..given import whole
from .beside import Beside
from .codec import Codec, Samples
from .replay import Replay

CODECS = (
    "raw", "int4", "2bit", "1bit", "half+int8", "half+int4", "half+2bit", "half+1bit", "third+int4", "third+2bit",
    "quarter+int4",
)  # fmt: skip
ROUNDS = 16


class Judge(Protocol):
    """How well samples teach."""

    def __call__(
        self, x: npt.NDArray[np.float64], y: npt.NDArray[Any], others: npt.NDArray[np.float64], /
    ) -> npt.NDArray[Any]:
        """x: [n, d] with labels y [n]. Returns what it makes of ``others`` [m, d]: labels [m]."""


@dataclass(frozen=True, slots=True)
class Traded:
    """A codec under the budget. ``named``: as it was given. ``capacity``: samples that fit; ``bytes``: that they take,
    all counted. ``score``: the mean share of held-out samples that the judge told right; ``error``: its standard error
    over the rounds.
    """

    codec: Codec
    named: str
    capacity: int
    bytes: int
    score: float
    error: float


def trade(
    capacity_bytes: int,
    samples: Samples,
    labels: npt.ArrayLike,
    judge: Judge,
    *,
    classes: int,
    candidates: Sequence[Codec | str] = CODECS,
    beside: Beside | None = None,
    as_kept: bool = False,
    rounds: int = ROUNDS,
    seed: int = 0,
) -> tuple[Traded, ...]:
    """``candidates``, the best first: measured on what is at hand, without a label of the future.

    samples: [n, *sample_shape] of the kind that the stream will bring, as of its first classes; labels: [n], of two
    classes or more. classes: that there will be. as_kept: what is held out goes through the codec too, for a learner
    that sees everything through it.

    In each round, half of the samples of each class are held out. Of the other half, as many are drawn as the class
    will have in the end - capacity / classes, or all where those are fewer - and go through the codec; the judge learns
    from them and is asked about the half held out. Every candidate is given the same draws. Of equal scores the one
    that holds more comes first. A pure function.

    Raises ``InvalidInput`` for fewer than two classes, for fewer than two samples of one, for what is no number, and
    where no candidate fits or a judge does not tell a label each.
    """
    samples, labels = np.asarray(samples), np.asarray(labels)
    rounds, seed, classes = whole("rounds", rounds), whole("seed", seed), whole("classes", classes)
    for field, number, least in (("rounds", rounds, 1), ("seed", seed, 0)):
        if number < least:
            raise InvalidInput(field, number, f"give {least} or more")
    if isinstance(candidates, str):
        raise InvalidInput("candidates", candidates, "give a list of codecs")
    if labels.shape != samples.shape[:1]:
        raise InvalidInput("labels", f"{labels.dtype}{list(labels.shape)}", f"give one a sample: {len(samples)}")
    names, counts = np.unique(labels, return_counts=True)
    if len(names) < 2 or counts.min() < 2:
        fix = "give two classes or more, two samples or more of each"
        raise InvalidInput("labels", f"of {len(names)} classes, {counts.min(initial=len(labels))} of the rarest", fix)
    if classes < len(names):
        raise InvalidInput("classes", classes, f"there are {len(names)} in labels: give those that there will be")
    memories = _memories(capacity_bytes, samples, classes, candidates, beside)
    rng = np.random.default_rng(seed)
    scores = np.zeros((len(memories), rounds))
    for i in range(rounds):
        orders = [rng.permutation(np.flatnonzero(labels == name)) for name in names]
        held_out = np.concatenate([order[: len(order) // 2] for order in orders])
        for j, (_, memory) in enumerate(memories):
            each = max(1, memory.capacity // classes)
            rows = np.concatenate([order[len(order) // 2 :][:each] for order in orders])
            others = _kept(memory, samples[held_out]) if as_kept else samples[held_out]
            told = np.asarray(judge(_flat(_kept(memory, samples[rows])), labels[rows], _flat(others)))
            if told.shape != held_out.shape:
                raise InvalidInput(
                    "judge", f"telling {list(told.shape)}", f"return a label each: {list(held_out.shape)}"
                )
            scores[j, i] = np.mean(told == labels[held_out])
    found = [
        Traded(m.codec, name, m.capacity, m.bytes, float(own.mean()), float(own.std() / np.sqrt(rounds)))
        for (name, m), own in zip(memories, scores, strict=True)
    ]
    return tuple(sorted(found, key=lambda one: (-one.score, -one.capacity)))


def _memories(
    capacity_bytes: int, samples: Samples, classes: int, candidates: Sequence[Codec | str], beside: Beside | None
) -> list[tuple[str, Replay]]:
    """Those of ``candidates`` that fit, with their names."""
    shape, dtype = samples.shape[1:], samples.dtype
    made: list[tuple[str, Replay]] = []
    fault = InvalidInput("candidates", "empty", "give a codec or more")
    for codec in candidates:
        try:
            made.append((str(codec), Replay(capacity_bytes, shape, dtype, classes=classes, codec=codec, beside=beside)))
        except InvalidInput as error:
            if error.field != "capacity_bytes":
                raise
            fault = error
    if not made:
        raise fault
    return made


def _kept(memory: Replay, samples: Samples) -> Samples:
    return memory.codec.decode(memory.codec.encode(samples), memory.sample_shape, memory.dtype)


def _flat(samples: Samples) -> npt.NDArray[np.float64]:
    return samples.reshape(len(samples), -1).astype(np.float64)
