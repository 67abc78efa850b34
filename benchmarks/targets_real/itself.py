"""What LiteRT says of a published file by its quick kernels, beside what it says by its reference ones: how far two
readings of one file lie apart where nobody has written it anew."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from .network import Real


def itself(file: Path, real: Real) -> int:
    """Of how many of its inputs the top answer is the same by both."""
    quick, plain = (_answers(file, real, kernels) for kernels in (OpResolverType.BUILTIN, OpResolverType.BUILTIN_REF))
    return int(np.count_nonzero(quick == plain))


def _answers(file: Path, real: Real, kernels: OpResolverType) -> np.ndarray:
    runs = Interpreter(model_path=str(file), experimental_op_resolver_type=kernels)
    runs.allocate_tensors()
    (given,), (told,) = runs.get_input_details(), runs.get_output_details()
    found = []
    for x in real.inputs:
        stored = real.whole.layout("x").store(x)
        runs.set_tensor(given["index"], np.ascontiguousarray(stored.reshape(given["shape"])))
        runs.invoke()
        found.append(int(runs.get_tensor(told["index"])[0].argmax()))
    return np.array(found)
