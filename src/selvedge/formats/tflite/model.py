"""What a ``.tflite`` file says: frozen values, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from selvedge.ir.quant import Quant

Option = int | float | bool | str | tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """``data``: a constant's values, read-only, else None. ``quant``: None where the numbers are what they are."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    quant: Quant | None
    data: np.ndarray | None


@dataclass(frozen=True, slots=True, eq=False)
class Operator:
    """``inputs`` and ``outputs``: indices of tensors, None for an input that is left out. ``options``: the fields of
    :data:`.schema.OPERATORS` by name."""

    name: str
    version: int
    inputs: tuple[int | None, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Option]


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """One subgraph. ``operators`` lie in an order in which each comes after those whose results it reads."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Signature:
    """A function of a file by name. ``model``: the number of its subgraph. ``inputs``, ``outputs``: what each of the
    model's is called by a caller, in its order."""

    name: str
    model: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """Several subgraphs, which share variables, and the functions that are called."""

    models: tuple[Model, ...]
    signatures: tuple[Signature, ...]
