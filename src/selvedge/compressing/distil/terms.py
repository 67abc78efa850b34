"""The terms of a distillation loss: one row each, with what it looks at and what its weight is.

Logits             softened outputs                     Hinton et al., arXiv:1503.02531
DKD                target and other classes apart       Zhao et al., arXiv:2203.08679
Hint               a feature, through an adapter        Romero et al., arXiv:1412.6550
AttentionTransfer  where features are large             Zagoruyko and Komodakis, arXiv:1612.03928
Relational         distances and angles of a batch      Park et al., arXiv:1904.05068
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Protocol

from torch import Tensor

from ...artifact.number import finite
from ...errors import InvalidInput
from . import losses

POSITIVE = ("temperature",)
Pairs = Mapping[str, str]  # path in the student -> path in the teacher, or name of an ONNX output


@dataclass(frozen=True, slots=True)
class Seen:
    """What a batch gave. labels: int64 [N, ...] or None. features: (student's, teacher's) of each pair of the term,
    channels first; the student's have been adapted to the teacher's shape where the term asks for that."""

    student: Tensor
    teacher: Tensor
    labels: Tensor | None = None
    features: Sequence[tuple[Tensor, Tensor]] = ()


class Term(Protocol):
    """A row. takes: "logits" or which pairs of features it has by default: the "middle" one, those that have positions
    ("spatial"), or the "last". adapts: whether an adapter brings the student's features to the teacher's shape."""

    takes: ClassVar[str]
    adapts: ClassVar[bool]

    @property
    def weight(self) -> float: ...

    def __call__(self, seen: Seen) -> Tensor: ...


@dataclass(frozen=True, slots=True)
class _Checked:
    """Numbers are finite and not negative; a temperature is above 0; pairs are path -> path."""

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            if entry.name == "pairs":
                _pairs(value)
                continue
            number, field = finite(value), f"{entry.name} of {type(self).__name__}"
            if entry.name in POSITIVE:
                if number is None or number <= 0:
                    raise InvalidInput(field, value, "give a number above 0, as 4")
            elif number is None or number < 0:
                raise InvalidInput(field, value, "give a number of 0 or more, as 1.0")


@dataclass(frozen=True, slots=True)
class Logits(_Checked):
    """Softened outputs: ``weight T^2 KL(softmax(teacher / T) || softmax(student / T))``, the mean over the batch.

    Hinton, Vinyals, Dean, "Distilling the knowledge in a neural network" (arXiv:1503.02531), section 2. Needs no
    labels. Raises :class:`selvedge.InvalidInput` for a temperature that is not above 0.
    """

    temperature: float = 4.0
    weight: float = 1.0
    takes: ClassVar[str] = "logits"
    adapts: ClassVar[bool] = False

    def __call__(self, seen: Seen) -> Tensor:
        return losses.soft(seen.student, seen.teacher, self.temperature)


@dataclass(frozen=True, slots=True)
class DKD(_Checked):
    """Target and other classes apart: ``weight T^2 (alpha TCKD + beta NCKD)``, the mean over the batch.

    Zhao et al., "Decoupled knowledge distillation" (arXiv:2203.08679), equation 7. The plain divergence has 1 - p in
    beta's place, p the teacher's share of the target: a sure teacher then says nothing of the other classes. beta: the
    paper has 0.5 to 2 on ImageNet, and up to 8 on CIFAR-100, over 240 epochs and with a warm-up. Needs labels, and says
    nothing of others with two classes.
    """

    alpha: float = 1.0
    beta: float = 2.0
    temperature: float = 4.0
    weight: float = 1.0
    takes: ClassVar[str] = "logits"
    adapts: ClassVar[bool] = False

    def __call__(self, seen: Seen) -> Tensor:
        assert seen.labels is not None
        labels = seen.labels.reshape(-1)
        return losses.decoupled(seen.student, seen.teacher, labels, self.temperature, self.alpha, self.beta)


@dataclass(frozen=True, slots=True)
class Hint(_Checked):
    """Features themselves: ``weight * mean((adapter(student's) - teacher's)^2)``, summed over pairs.

    Romero et al., "FitNets" (arXiv:1412.6550), equation 3, whose half and sum over elements are a mean here; and
    trained with the other terms, not in a stage before them. pairs: path in the student -> path in the teacher; by
    default the one pair, with positions where there are any, that is nearest to the middle of the teacher.
    """

    pairs: Pairs | None = None
    weight: float = 1.0
    takes: ClassVar[str] = "middle"
    adapts: ClassVar[bool] = True

    def __call__(self, seen: Seen) -> Tensor:
        return _sum([losses.hint(ours, theirs) for ours, theirs in seen.features])


@dataclass(frozen=True, slots=True)
class AttentionTransfer(_Checked):
    """Where features are large: ``weight * |Q_S / |Q_S| - Q_T / |Q_T||^2``, Q the sum over channels of squares; the
    mean over the batch, summed over pairs.

    Zagoruyko and Komodakis, "Paying more attention to attention" (arXiv:1612.03928), equation 2. weight: the paper's
    beta / 2; its beta is 1000 over the positions of a map (section 4), which makes 8 for one of 8 x 8 and is for some
    hundred epochs: in short runs it drowns the labels. pairs: as in :class:`Hint`; by default all that have positions.
    No adapter: channels are summed, the larger map averaged down.
    """

    pairs: Pairs | None = None
    weight: float = 1.0
    takes: ClassVar[str] = "spatial"
    adapts: ClassVar[bool] = False

    def __call__(self, seen: Seen) -> Tensor:
        return _sum([losses.attention(ours, theirs) for ours, theirs in seen.features])


@dataclass(frozen=True, slots=True)
class Relational(_Checked):
    """How the samples of a batch lie to each other: ``weight (distance RKD-D + angle RKD-A)``, summed over pairs.

    Park et al., "Relational knowledge distillation" (arXiv:1904.05068), section 3.2. Angles weigh twice as much as
    distances, as with the authors, whose 25 and 50 for classification are for some hundred epochs: in short runs those
    drown the labels. Means over pairs and triplets of distinct samples; a batch of one says nothing, one of two has no
    angle; N^3 numbers are kept for N samples. pairs: as in :class:`Hint`; by default the last one before the logits,
    or the logits where there is none. No adapter: the sizes need not be alike.
    """

    distance: float = 1.0
    angle: float = 2.0
    pairs: Pairs | None = None
    weight: float = 1.0
    takes: ClassVar[str] = "last"
    adapts: ClassVar[bool] = False

    def __call__(self, seen: Seen) -> Tensor:
        made = []
        for ours, theirs in seen.features or [(seen.student, seen.teacher)]:
            ours, theirs = ours.flatten(1), theirs.flatten(1)
            made.append(self.distance * losses.distances(ours, theirs) + self.angle * losses.angles(ours, theirs))
        return _sum(made)


TERMS: tuple[type[Any], ...] = (Logits, DKD, Hint, AttentionTransfer, Relational)


def checked(terms: object) -> tuple[Term, ...]:
    """``terms`` as a tuple; one term alone will do."""
    given = terms if isinstance(terms, list | tuple) else (terms,)
    names = ", ".join(f"sv.{t.__name__}()" for t in TERMS)
    for term in given:
        if not isinstance(term, TERMS):
            said = term.__name__ if isinstance(term, type) else f"of type {type(term).__name__}"
            raise InvalidInput("terms", said, f"give a list of {names}")
    if not given:
        raise InvalidInput("terms", "empty", f"give at least one of {names}")
    return tuple(given)


def _pairs(value: object) -> None:
    if value is None:
        return
    if not isinstance(value, Mapping) or not all(isinstance(p, str) for pair in value.items() for p in pair):
        raise InvalidInput("pairs", value, 'give path in the student -> path in the teacher, as {"3": "layer2"}')
    if not value:
        raise InvalidInput("pairs", "empty", 'give at least one, as {"3": "layer2"}, or none for automatic ones')


def _sum(parts: list[Tensor]) -> Tensor:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total
