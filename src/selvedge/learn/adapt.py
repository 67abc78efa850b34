"""Learning on a stream: every sample is predicted before it is learnt from, and kept for later."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from .memory.replay import Replay


class Learner(Protocol):
    """What the loop needs of a :class:`selvedge.Session`, or of anything that learns like one."""

    def predict(self, x: Any, /) -> npt.NDArray[Any]:
        """Logits [N, classes] of a batch."""

    def step(self, x: Any, y: Any, /) -> float:
        """One update on a batch and its int32 labels [N]; the loss before it."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One sample of the stream: its label, what was predicted before learning from it, the loss of its batch."""

    label: int
    predicted: int
    loss: float

    @property
    def right(self) -> bool:
        return self.label == self.predicted


def adapt(
    learner: Learner,
    stream: Iterable[tuple[npt.NDArray[Any], int]],
    *,
    batch: int,
    recent: Replay,
    shipped: Sequence[Replay] = (),
) -> Iterator[Seen]:
    """Predict, then learn, sample by sample; lazy, so that the caller may look at the learner in between.

    Accuracy over the predictions is prequential: test, then train (Gama, Sebastião & Rodrigues, *On evaluating
    stream learning algorithms*, 2013). A batch is the new sample and ``batch`` - 1 earlier ones, drawn in turn from
    ``shipped`` (written before, only read) and ``recent`` (to which every sample is offered after its step); while
    nothing earlier is held the new sample is repeated.

    stream: samples without the batch axis, dtype as the replays', with their labels. batch: the static one of the
    learner, N. Raises what the learner and the replays raise, before the sample at hand is remembered.
    """
    memories = (*shipped, recent)
    for x, label in stream:
        alone = np.repeat(x[None], batch, axis=0)  # the batch of a plan is static: a lone sample fills it
        predicted = int(learner.predict(alone)[0].argmax())
        loss = learner.step(*_mixed(x, label, batch, memories))
        recent.add(x, label)
        yield Seen(label, predicted, loss)


def _mixed(
    x: npt.NDArray[Any], label: int, batch: int, memories: Sequence[Replay]
) -> tuple[npt.NDArray[Any], npt.NDArray[np.int32]]:
    """The new sample first, then earlier ones: x [batch, ...], y int32 [batch]."""
    held = [memory for memory in memories if len(memory)]
    xs, ys = [x[None]], [np.array([label], np.int32)]
    for i in range(batch - 1):
        if held:
            memory = memories[i % len(memories)]
            earlier, labels = (memory if len(memory) else held[0]).sample(1)
            xs.append(earlier)
            ys.append(labels)
        else:
            xs.append(x[None])
            ys.append(ys[0])
    return np.concatenate(xs), np.concatenate(ys)
