"""Networks out of ONNX files, and into them."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path

import numpy as np

from ..artifact.files import write
from ..artifact.name import checked_name
from ..errors import InvalidInput
from ..formats import onnx
from ..ir.expand import unrolled
from .network import Network, with_floats


def load_onnx(
    path: str | Path, *, floats: bool = False, name: str = "model", fixed: Mapping[str, np.ndarray] | None = None
) -> Network:
    """The network of an ONNX file, of opset 13 or later, to be planned by :func:`selvedge.plan_inference`.

    What a QDQ model computes between DequantizeLinear and QuantizeLinear becomes int8 rows, rounded as LiteRT's
    reference kernels do: ONNX Runtime's differ from them by at most one step a layer. What no int8 row means stays
    float, as float models do as a whole. Inputs and outputs are the file's own: images NCHW where it has them so.
    A number of samples that the file leaves open is one.

    floats, name: as of :func:`selvedge.load_tflite`. fixed: inputs of the file that are constants from here on, as the
        shape or the axes that an operator is told.

    Raises ``InvalidInput`` for a damaged file and for what does not go together, and ``NotSupported`` for an operator
    that has no meaning here; each names the node and the operator. External data is read from the file's own folder.
    """
    if not isinstance(path, str | PathLike):
        raise InvalidInput("path", f"of type {type(path).__name__}", "give that of an .onnx file")
    checked_name(name)
    if not isinstance(fixed, Mapping | None) or not all(isinstance(a, np.ndarray) for a in (fixed or {}).values()):
        raise InvalidInput("fixed", f"of type {type(fixed).__name__}", "give arrays by the names of inputs")
    read = onnx.graph(onnx.read(Path(path), fixed or {}))
    return Network(with_floats(read.graph) if floats else read.graph, name, read.layouts)


def save_onnx(network: Network, path: str | Path, *, form: str = "qdq") -> Path:
    """Write ``network`` as an ONNX model of opset 17, whole or not at all; ``path`` is returned.

    Each int8 row becomes DequantizeLinear -> operator -> QuantizeLinear (QDQ) with int8 weights, a scale a channel
    where there is one, and biases as the real numbers that their int32 stand for: what ONNX Runtime fuses into int8
    kernels (from 1.21; older ones want the other form). Those round otherwise than ours, by at most one step a layer;
    on x64 that takes its session option ``session.qdqisint8allowed``, without which products may saturate.
    Float rows become float operators, recurrent layers some ten of them a step of time. Inputs and outputs keep their
    names, shapes and dtypes; inside, images are NCHW.

    form: "qdq", or "operators": a convolution is one QLinearConv with an int32 bias, in fewer bytes; what the standard
        has no int8 operator with a bias for stays QDQ.

    Raises ``NotSupported`` for a row that ONNX has no operator for, and ``InvalidInput`` for another form, for a name
    that no tensor of a file can have, and for a path that cannot be written.
    """
    if not isinstance(network, Network):
        raise InvalidInput("network", f"of type {type(network).__name__}", "give what selvedge.load_tflite returned")
    if not isinstance(path, str | PathLike):
        raise InvalidInput("path", f"of type {type(path).__name__}", "give that of the file to write")
    checked_name(network.name)
    made = onnx.written(unrolled(network.graph), network.name, network.layouts, form)
    write(Path(path), made.SerializeToString(deterministic=True))
    return Path(path)
