"""A student, its teacher and the loss between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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
from . import adapters
from .cache import TeacherCache, require_finite
from .features import CHANGED, Feature, Inputs, Traced, chosen, watched
from .losses import wide
from .pairs import Pair, default, matched
from .teacher import Averaged, tried
from .teacher import teacher as teacher_of
from .terms import DKD, Hint, Seen, Term, checked

TRIED = 4  # samples of the example that are run to see the shapes


@dataclass(frozen=True, slots=True)
class Link:
    """A term and the features it compares. ``adapter``: what is between the two, in words."""

    term: str
    student: Feature
    teacher: Feature
    adapter: str

    def __str__(self) -> str:
        return f"{self.term}: {self.student} <- {self.teacher} ({self.adapter})"


class Distil(nn.Module):
    """``student`` with a loss that a ``teacher`` has a say in: ``alpha * cross-entropy(labels) + sum of the terms``,
    each with its own weight.

        distil = sv.Distil(student, teacher, [sv.Logits(temperature=4), sv.Hint()], example=x)
        optimizer = torch.optim.Adam(distil.parameters(), 1e-3)      # the student's, and the adapters'
        for rows in batches:
            optimizer.zero_grad()
            distil.loss(x[rows], y[rows]).backward()
            optimizer.step()

    student: any module that gives logits [N, C] or [N, C, ...]; the same object is trained, :class:`selvedge.QAT` and
        pruned modules too. It is never changed otherwise: adapters are apart from it, hooks live as long as a call.
    teacher: any module, taken in evaluation mode and without gradients and left as it was; the path of an ONNX file; or
        :class:`selvedge.SelfTeacher`.
    terms: of :class:`selvedge.Logits`, :class:`selvedge.DKD`, :class:`selvedge.Hint`,
        :class:`selvedge.AttentionTransfer`, :class:`selvedge.Relational`.
    example: samples [N, ...], a tuple of them for several inputs; the first four are run to find the features.
    alpha: weight of the labels' cross-entropy; at 0 no labels are needed.
    seed: of the adapters' first weights.

    ``links`` says which features each term compares, and through what; ``print(distil)`` shows them. ``parts``: what
    the labels and each term added to the last loss, weights included. Features are named by module path; of a QAT
    student those that are quantised can be. Raises :class:`selvedge.InvalidInput`.
    """

    def __init__(
        self, student: nn.Module, teacher: Any, terms: Any, *, example: Any, alpha: float = 1.0, seed: int = 0
    ) -> None:
        super().__init__()
        if not isinstance(student, nn.Module):
            raise InvalidInput("student", f"of type {type(student).__name__}", "give an nn.Module")
        if not any(p.requires_grad for p in student.parameters()):
            raise InvalidInput("student", "without parameters that learn", "give one with some that require gradients")
        share = finite(alpha)
        if share is None or share < 0:
            raise InvalidInput("alpha", alpha, "give a number of 0 or more, the weight of the labels' cross-entropy")
        if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 1 << 32:
            raise InvalidInput("seed", seed, "give a whole number in 0..4294967295")
        self.terms, self.alpha = checked(terms), share
        if not share and not any(term.weight for term in self.terms):
            raise InvalidInput("alpha", alpha, "the terms have weight 0 too: give something a weight")
        self._labels = bool(share) or any(isinstance(term, DKD) for term in self.terms)
        inputs = tuple(x[:TRIED] for x in _inputs(example, "example"))
        self.student = student
        self._teacher = teacher_of(teacher, student)
        ours, theirs = tried("student", student, inputs), self._teacher.trace(inputs)
        self._require_outputs(ours.output, theirs.output)
        self._pairs = [_pairs(term, ours, theirs) for term in self.terms]
        adapted = [pair for term, pairs in zip(self.terms, self._pairs, strict=True) if term.adapts for pair in pairs]
        like = next(p for p in student.parameters() if p.requires_grad)
        self.adapters = adapters.made(adapted, seed, like)
        self.links = tuple(self._links())
        self.cached: TeacherCache | None = None
        self.parts: dict[str, Tensor] = {}

    def forward(self, *inputs: Tensor) -> Any:
        """What the student gives."""
        return self.student(*inputs)

    def loss(self, x: Any, y: Any = None, *, index: Any = None) -> Tensor:
        """The loss of a batch, a scalar with a graph.

        x: [N, ...], or a tuple of inputs. y: classes [N] ([N, ...] for logits [N, C, ...]), or shares [N, C] where no
        term is a DKD; needed unless alpha is 0 and no term is a DKD. index: with :meth:`cache`, the number of each
        sample in what was cached, int [N]; ignored without. Raises :class:`selvedge.InvalidInput`.
        """
        inputs = _inputs(x, "x")
        self._require_labels(inputs, y)
        if isinstance(self._teacher, Averaged) and self.training:
            self._teacher.follow(self.student)
        told = self._told(inputs, index)
        versions: dict[str, int] = {}
        with watched(chosen(self.student, {s.path for pairs in self._pairs for s, _ in pairs}), versions) as seen:
            logits = self.student(*inputs)
        for path, value in seen.items():
            if isinstance(value, Tensor) and value._version != versions[path]:  # dropout, which was not on before
                raise InvalidInput("layer of the student", path, CHANGED)
        self._require_outputs(logits, told[""], len(inputs[0]))
        kind = wide(logits).dtype  # of 16 bits only the student's own are
        theirs = {name: value.to(logits.device, kind) for name, value in told.items()}
        labels = _targets(y, logits, any(isinstance(t, DKD) for t in self.terms)) if self._labels else None
        parts: dict[str, Tensor] = {}
        if self.alpha:
            assert labels is not None
            parts["labels"] = self.alpha * functional.cross_entropy(logits, labels)
        through = iter(self.adapters)
        for name, term, pairs in zip(self._names(), self.terms, self._pairs, strict=True):
            features = []
            for s, t in pairs:
                pair = s.of(seen[s.path]), t.of(theirs[t.path])
                features.append(next(through)(*pair) if term.adapts else pair)
            parts[name] = term.weight * term(Seen(logits, theirs[""], labels, features))
        self.parts = {name: part.detach() for name, part in parts.items()}
        total = torch.zeros((), dtype=logits.dtype, device=logits.device)
        for part in parts.values():
            total = total + part
        return total

    def cache(
        self, folder: str | Path, data: Any, *, dtype: str = "float16", chunk: int = 256,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> TeacherCache:  # fmt: skip
        """Compute the teacher's answers for ``data`` once, in ``folder``, or read them there; from now on :meth:`loss`
        takes them from it by ``index``, and the teacher does not run.

        data: all samples, unaugmented, as :func:`selvedge.quantise` takes them. dtype: "float16", "int8" or "float32".
        on_progress: (samples done, all samples), after each chunk. Killed at any moment it goes on behind the last
        chunk that was written, and ends with the same bytes. Raises :class:`selvedge.InvalidInput`, as for a folder of
        another teacher or of other data.
        """
        if not self._teacher.fixed:
            raise InvalidInput("cache", str(folder), "a SelfTeacher changes with each step: train without one")
        layers = sorted({t.path for pairs in self._pairs for _, t in pairs})
        made = TeacherCache(
            folder, self._teacher, data, layers=layers, dtype=dtype, chunk=chunk, on_progress=on_progress
        )
        self.cached = made
        return made

    def __str__(self) -> str:
        terms = [f"{self.alpha:g} x labels"] if self.alpha else []
        terms += [f"{term.weight:g} x {name}" for name, term in zip(self._names(), self.terms, strict=True)]
        return "\n".join([f"loss = {' + '.join(terms)}", *map(str, self.links)])

    def _told(self, inputs: Inputs, index: Any) -> dict[str, Tensor]:
        """The teacher's answers for a batch."""
        if self.cached is not None:
            if index is None:
                raise InvalidInput("index", None, "give the row number of each sample in the data that was cached")
            return self.cached.take(index, inputs)
        made = self._teacher(inputs, sorted({t.path for pairs in self._pairs for _, t in pairs}))
        for name, value in made.items():
            if isinstance(value, Tensor) and not bool(torch.isfinite(value).all()):
                where = f"layer {name} of the teacher" if name else "teacher"
                require_finite(where, value.detach().cpu().float().numpy())
        return made

    def _names(self) -> Iterator[str]:
        """A name a term: its type, and a number where there are several of it."""
        count: dict[str, int] = {}
        for term in self.terms:
            kind = type(term).__name__
            count[kind] = count.get(kind, 0) + 1
            yield kind if count[kind] == 1 else f"{kind} {count[kind]}"

    def _links(self) -> Iterator[Link]:
        through = iter(self.adapters)
        for name, term, pairs in zip(self._names(), self.terms, self._pairs, strict=True):
            for ours, theirs in pairs:
                yield Link(name, ours, theirs, str(next(through).said) if term.adapts else "no adapter")

    def _require_outputs(self, ours: Any, theirs: Any, count: int | None = None) -> None:
        for who, value in (("student", ours), ("teacher", theirs)):
            if not isinstance(value, Tensor) or not value.dtype.is_floating_point or value.dim() < 2:
                said = f"{value.dtype} {list(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
                raise InvalidInput(f"output of the {who}", said, "give a module that gives float logits [N, classes]")
            if count is not None and len(value) != count:
                raise InvalidInput(f"output of the {who}", f"of {len(value)} samples", f"the batch has {count}")
        if not any(term.takes == "logits" for term in self.terms):
            return
        kind = next(type(term).__name__ for term in self.terms if term.takes == "logits")
        if ours.shape[1] != theirs.shape[1]:
            fix = f"the student has {ours.shape[1]}: {kind} compares class by class"
            raise InvalidInput("teacher", f"of {theirs.shape[1]} classes", fix)
        if ours.shape[2:] != theirs.shape[2:]:
            fix = f"the student gives {list(ours.shape)}: {kind} compares position by position"
            raise InvalidInput("teacher", f"giving {list(theirs.shape)}", fix)
        if ours.shape[1] < 2:
            fix = f"{kind} needs two or more; sv.Hint() compares features"
            raise InvalidInput("student", f"of {ours.shape[1]} class", fix)

    def _require_labels(self, inputs: Inputs, y: Any) -> None:
        if y is None:
            if self._labels:
                why = f"alpha is {self.alpha:g}" if self.alpha else "DKD needs the target class"
                raise InvalidInput("y", None, f"give labels [N]: {why}")
        elif len(y) != len(inputs[0]):
            raise InvalidInput("y", f"of {len(y)} labels", f"x has {len(inputs[0])} samples")


def _pairs(term: Term, ours: Traced, theirs: Traced) -> list[Pair]:
    """The pairs of features of a term: those it names, or those that are found."""
    if term.takes == "logits":
        return []
    kind = type(term).__name__
    named: Mapping[str, str] | None = getattr(term, "pairs", None)
    if named is not None:
        made = [(ours.named("student", s), theirs.named("teacher", t)) for s, t in named.items()]
    else:
        made = default(term.takes, matched(ours.features, theirs.features))
        if not made and term.takes != "last":
            known = f"the student has {_some(ours.features)}, the teacher {_some(theirs.features)}"
            fix = f"give {kind}(pairs=...); {known}"
            raise InvalidInput(f"pairs of {kind}", "not to be found", fix)
    if kind != "Relational":
        for pair in made:
            adapters.require_alike(*pair, spatial=not isinstance(term, Hint))
    return made


def _some(features: Sequence[Feature]) -> str:
    return ", ".join(map(str, features[:8])) + (", ..." if len(features) > 8 else "") if features else "no features"


def _inputs(given: Any, field: str) -> Inputs:
    """A tensor or array, or a tuple of them, as tensors; float64 and bytes as float32, as in calibration data."""
    parts = given if isinstance(given, tuple | list) else (given,)
    if not parts or not all(isinstance(p, Tensor | np.ndarray) and p.ndim and len(p) for p in parts):
        kind = f"of type {type(given).__name__}" if not isinstance(given, Tensor | np.ndarray) else "empty"
        raise InvalidInput(field, kind, "give samples [N, ...], or a tuple of them for several inputs")
    if len({len(p) for p in parts}) > 1:
        raise InvalidInput(field, f"of {', '.join(str(len(p)) for p in parts)} samples", "give as many of every input")
    return samples.converted(tuple(torch.as_tensor(p) for p in parts))


def _targets(y: Any, logits: Tensor, whole: bool) -> Tensor:
    """Labels as int64 in 0..C-1, [N, ...], or shares [N, C, ...] unless ``whole``."""
    labels = torch.as_tensor(y, device=logits.device)
    wanted = (logits.shape[0], *logits.shape[2:])
    if labels.dtype.is_floating_point and labels.shape == logits.shape and not whole:
        return labels.to(logits.dtype)
    if logits.dim() > 2 and labels.shape == logits.shape[:-1] != wanted:
        fix = "classes lie along the second axis, [N, C, ...]: give logits.transpose(1, -1)"
        raise InvalidInput("output of the student", list(logits.shape), fix)
    if labels.dtype.is_floating_point or labels.dtype == torch.bool or labels.shape != wanted:
        fix = f"give classes, whole numbers {list(wanted)}" + ("" if whole else f", or shares {list(logits.shape)}")
        raise InvalidInput("y", f"{labels.dtype} {list(labels.shape)}", fix)
    labels = labels.long()
    outside = labels[(labels < 0) | (labels >= logits.shape[1])]
    if len(outside):
        raise InvalidInput("y", int(outside.reshape(-1)[0]), f"give classes of 0 to {logits.shape[1] - 1}")
    return labels
