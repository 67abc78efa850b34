"""An int8 model computed tensor by tensor in numpy, as LiteRT's reference kernels compute it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from selvedge.errors import InvalidInput, NotSupported

from .layers import LAYERS
from .model import Model
from .moves import MOVES
from .node import Bound, Node
from .pointwise import POINTWISE

RULES: Mapping[str, Callable[[Node], Bound]] = MappingProxyType({**LAYERS, **POINTWISE, **MOVES})
"""Operator name -> its rule: the checked operator as a function of the arrays that are no constants."""


@dataclass(frozen=True, slots=True)
class Step:
    """``run(*arrays of inputs)`` is the array of tensor ``output``."""

    run: Callable[..., np.ndarray]
    inputs: tuple[int, ...]
    output: int


def steps(model: Model) -> tuple[Step, ...]:
    """The operators in order, each checked against the tensors it reads and makes.

    Raises :class:`InvalidInput` for shapes, types or scales that do not go together, and :class:`NotSupported` for an
    operator that has no int8 meaning here; both name the operator and the tensor.
    """
    return tuple(_step(model, i) for i in range(len(model.operators)))


def _step(model: Model, index: int) -> Step:
    operator = model.operators[index]
    node = Node(model.tensors, operator, index)
    rule = RULES.get(operator.name)
    if rule is None:
        raise NotSupported(operator.name, node.where, "it can be read, and has no int8 meaning here")
    try:
        bound = rule(node)
    except ValueError as error:
        if isinstance(error, InvalidInput | NotSupported):
            raise
        raise InvalidInput(node.where, operator.name, str(error)) from None
    if bound.shape != node.y.shape:
        raise InvalidInput(f"{node.where}: shape", list(node.y.shape), f"{operator.name} makes {list(bound.shape)}")
    if bound.dtype != node.y.dtype:
        raise InvalidInput(f"{node.where}: type", node.y.dtype, f"{operator.name} makes {bound.dtype}")
    return Step(bound.run, bound.reads, operator.outputs[0])


def compute(model: Model, arrays: Sequence[np.ndarray]) -> dict[int, np.ndarray]:
    """Tensor index -> array, for the inputs and for every tensor an operator makes.

    arrays: one for each of ``model.inputs``, of its shape and dtype. Raises as :func:`steps`.
    """
    if len(arrays) != len(model.inputs):
        raise InvalidInput("inputs", f"{len(arrays)} arrays", f"the model has {len(model.inputs)}")
    found = {i: t.data for i, t in enumerate(model.tensors) if t.data is not None}
    constants = set(found)
    for i, array in zip(model.inputs, arrays, strict=True):
        tensor = model.tensors[i]
        if array.shape != tensor.shape or array.dtype != np.dtype(tensor.dtype):
            told = f"{array.dtype} {list(array.shape)}"
            raise InvalidInput(f"input {tensor.name[:80]!r}", told, f"give {tensor.dtype} {list(tensor.shape)}")
        found[i] = array
    for step in steps(model):
        found[step.output] = step.run(*(found[i] for i in step.inputs))
    return {i: array for i, array in found.items() if i not in constants}
