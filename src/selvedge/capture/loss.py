"""Losses: what they ask as labels, and the scalar they build over the model's output. All are means.

Those that have a kernel, or a layout, of their own stand here; the others are written in PyTorch (torch_loss.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from .. import ir
from ..artifact.layout import Layout
from ..artifact.number import finite
from ..errors import InvalidInput
from .tensor import without
from .torch_loss import TORCH_LOSSES


class Loss(Protocol):
    """``labels``: spec and layout of the input "y", or None when the target is the input "x" itself.
    ``of``: the 0-d loss of an output stored in ``layout``, against a target stored as ``labels`` says."""

    def labels(self, output: ir.Spec, layout: Layout) -> tuple[ir.Spec, Layout] | None: ...

    def of(self, output: ir.Value, layout: Layout, target: ir.Value) -> ir.Value: ...


def _mean(x: ir.Value) -> ir.Value:
    total = ir.reduce("reduce_sum", x, range(len(x.shape)))
    return ir.scale(total, 1 / x.spec.size)


@dataclass(frozen=True, slots=True)
class CrossEntropy:
    """Softmax cross-entropy over PyTorch's axis 1 against int32 labels [N] (or [N, ...] for dense outputs).

    What has the label -100 does not count, as PyTorch's ignore_index: the padding of a batch or a sequence.

    label_smoothing in 0..1: the share of the target that is uniform over the classes (Szegedy et al., 2016, sec. 7).
    """

    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        share = finite(self.label_smoothing)
        if share is None or not 0 <= share <= 1:
            raise InvalidInput("label_smoothing", self.label_smoothing, "it must lie in 0..1")
        object.__setattr__(self, "label_smoothing", share)

    def labels(self, output: ir.Spec, layout: Layout) -> tuple[ir.Spec, Layout]:
        if len(layout.face) < 2:
            raise InvalidInput(
                "loss", "cross_entropy", f"the output {layout.face} has no axis of classes: is the example a batch?"
            )
        face = (layout.face[0], *layout.face[2:])
        stored = Layout.of(face, without(layout.perm, (1,)))
        return ir.Spec(stored.shape, "int32"), stored

    def of(self, output: ir.Value, layout: Layout, target: ir.Value) -> ir.Value:
        axis = layout.perm.index(1)
        last = (*(a for a in range(len(layout.perm)) if a != axis), axis)
        rows = target.spec.size
        logits = ir.reshape(ir.transpose(output, last), (rows, layout.face[1]))
        flat = ir.reshape(target, (rows,))
        return ir.apply("cross_entropy", logits, flat, label_smoothing=float(self.label_smoothing))


@dataclass(frozen=True, slots=True)
class MSE:
    """The mean squared difference to a target of the output's shape."""

    def labels(self, output: ir.Spec, layout: Layout) -> tuple[ir.Spec, Layout]:
        return output, layout

    def of(self, output: ir.Value, layout: Layout, target: ir.Value) -> ir.Value:
        return _mean(ir.apply("square", ir.apply("sub", output, target)))


@dataclass(frozen=True, slots=True)
class BCEWithLogits:
    """Binary cross-entropy of logits against probabilities of the output's shape."""

    def labels(self, output: ir.Spec, layout: Layout) -> tuple[ir.Spec, Layout]:
        return output, layout

    def of(self, output: ir.Value, layout: Layout, target: ir.Value) -> ir.Value:
        return _mean(ir.apply("bce_logits", output, target))


@dataclass(frozen=True, slots=True)
class Reconstruction:
    """The mean squared difference to the input "x": there are no labels."""

    def labels(self, output: ir.Spec, layout: Layout) -> None:
        return None

    def of(self, output: ir.Value, layout: Layout, target: ir.Value) -> ir.Value:
        given: Layout = target.node.attrs["layout"]
        if given.face != layout.face or target.dtype != output.dtype:
            raise InvalidInput("loss", "reconstruction", f"the output {layout.face} is not like the input {given.face}")
        order = tuple(layout.perm.index(d) for d in given.perm)
        return _mean(ir.apply("square", ir.apply("sub", ir.transpose(output, order), target)))


@dataclass(frozen=True, slots=True)
class CTC:
    """Connectionist temporal classification of logits [N, C, T] over PyTorch's axis 1: ``F.ctc_loss`` of their
    log-softmax, every step of every sample given, reduction "mean".

    Targets: int32 [N, longest], a sample's labels first, and then the blank. blank: its class.
    zero_infinity: a sample whose labels need more steps than there are counts for nothing; else its loss is infinite,
    and a step is refused.
    """

    longest: int
    blank: int = 0
    zero_infinity: bool = False

    def __post_init__(self) -> None:
        for field, least in (("longest", 1), ("blank", 0)):
            value = getattr(self, field)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise InvalidInput(f"CTC {field}", value, f"give a whole number >= {least}")
        if not isinstance(self.zero_infinity, bool):
            raise InvalidInput("CTC zero_infinity", self.zero_infinity, "give True or False")

    def labels(self, output: ir.Spec, layout: Layout) -> tuple[ir.Spec, Layout]:
        if len(layout.face) != 3:
            raise InvalidInput("loss", "ctc", f"the output {layout.face} is not [samples, classes, steps]")
        if self.blank >= layout.face[1]:
            raise InvalidInput("CTC blank", self.blank, f"the output has classes 0..{layout.face[1] - 1}")
        shape = (layout.face[0], self.longest)
        return ir.Spec(shape, "int32"), Layout.of(shape)

    def of(self, output: ir.Value, layout: Layout, target: ir.Value) -> ir.Value:
        logits = ir.transpose(output, tuple(layout.perm.index(axis) for axis in (0, 2, 1)))
        return ir.apply("ctc", logits, target, blank=self.blank, zero_infinity=self.zero_infinity)


def settings(of: Loss) -> dict[str, Any]:
    """What a loss was given beside its name, as plain values: label_smoothing, or the longest of CTC's targets."""
    return asdict(of) if isinstance(of, CrossEntropy | CTC) else {}


_BY_NAME: Mapping[str, Loss] = {
    "cross_entropy": CrossEntropy(),
    "mse": MSE(),
    "bce_with_logits": BCEWithLogits(),
    "reconstruction": Reconstruction(),
    **TORCH_LOSSES,
}


NAMED = tuple(_BY_NAME)


def loss(which: str | Loss) -> Loss:
    """A loss by its name; a loss itself is passed through. Raises ``InvalidInput``."""
    if not isinstance(which, str):
        return which
    if which not in _BY_NAME:
        raise InvalidInput("loss", repr(which), f"give one of {', '.join(_BY_NAME)}")
    return _BY_NAME[which]
