"""From what the user names to a data set that a model of a given shape can learn from."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from ..errors import InvalidInput
from . import arrays, image, sound, table
from .dataset import PARTS, Array, Dataset
from .find import kind_of
from .labels import TASKS, encoded
from .raw import Source
from .spec import Spec, parse
from .split import given, split


def survey(spec: str | os.PathLike[str]) -> Source:
    """Look at the data without a model: kind, class names, natural shape.

    spec: a folder of images or .wav (a class a folder, or ``:pattern={label}_{group}_{}.wav``), a .csv or a folder of
    them, an .npz with x and y, or ``file.py:function``; options follow as ``:key=value,key=value``. Raises
    ``InvalidInput``, one line that names the file and what to do.
    """
    if not isinstance(spec, str | os.PathLike):
        raise InvalidInput("--data", f"of type {type(spec).__name__}", "give a path, or what the command line takes")
    return _source(parse(os.fspath(spec)))


def load(
    spec: str | os.PathLike[str] | Source, shape: Sequence[int] | None = None, *, task: str = "classes",
    outputs: int | None = None, seed: int = 0, validation: float = 0.15, test: float = 0.15,
) -> Dataset:  # fmt: skip
    """The data as samples of ``shape`` (without the batch axis; by default their own), split and normalised.

    task: "classes", "values" (numbers to regress), "probabilities" (for bce_with_logits) or "none" (targets are not
    needed). outputs: the model's, for "probabilities". seed: of the split, which is stratified by class and keeps
    groups whole. Normalising looks at training samples alone. Raises ``InvalidInput``.
    """
    if task not in TASKS:
        raise InvalidInput("task", task, f"give one of {', '.join(TASKS)}")
    source = spec if isinstance(spec, Source) else survey(spec)
    wanted = tuple(shape) if shape is not None else source.natural
    raw = source.read(wanted)
    y: Array | None = None
    labels: tuple[str, ...] = ()
    if task != "none":
        if raw.targets is None:
            raise InvalidInput(
                "labels", "missing", f"{source.name} has none: give them, or learn with --loss reconstruction"
            )
        y, labels = encoded(raw.targets, task, source.name, outputs)
    classes = _strata(raw.targets if task == "none" else y, labels, raw.count)
    validation = source.spec.number("validation", validation, 0.0, 0.9)
    test = source.spec.number("test", test, 0.0, 0.9)
    if not 0 <= validation < 1 or not 0 <= test < 1 or validation + test >= 0.9:
        raise InvalidInput(
            "--data validation and test", f"{validation:g} and {test:g}", "leave training most: 0.15 and 0.15"
        )
    if raw.parts is not None:
        made = given(raw.parts, classes, validation or 0.15, seed)
    else:
        made = split(classes, raw.groups, (1 - validation - test, validation, test), seed, labels)
    x, preprocess, features = raw.finish(made["train"])
    groups = None if raw.groups is None else np.asarray(raw.groups, str)
    return Dataset(
        source.name,
        source.kind,
        x,
        y,
        labels,
        groups,
        {p: made[p] for p in PARTS},
        wanted,
        preprocess,
        features,
        raw.notes,
    )


def _source(spec: Spec) -> Source:
    path = spec.path
    if spec.function is not None:
        return arrays.survey_python(spec)
    if path.is_dir():
        kinds = {"images": image.survey, "sounds": sound.survey, "tables": table.survey}
        return kinds[kind_of(spec)](spec)
    suffix = path.suffix.lower()
    if suffix in (".csv", ".tsv"):
        return table.survey(spec)
    if suffix == ".npz":
        return arrays.survey_npz(spec)
    raise InvalidInput("--data", str(path), "give a folder of images, sounds or CSV, a .csv, a .npz or loader.py:data")


def _strata(targets: object, labels: Sequence[str], count: int) -> np.ndarray:
    """What the split is stratified by: class numbers (of several labels the first), or zeros: a class a place has no
    one class."""
    if labels and isinstance(targets, np.ndarray):
        if targets.ndim == 1:
            return np.asarray(targets, np.intp)
        if targets.shape == (count, len(labels)):
            return np.asarray(targets.argmax(1), np.intp)
    return np.zeros(count, np.intp)
