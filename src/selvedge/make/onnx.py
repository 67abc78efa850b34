"""Networks to ONNX files."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from ..artifact.files import write
from ..errors import InvalidInput
from ..formats import onnx
from .inference import Network


def save_onnx(network: Network, path: str | Path) -> Path:
    """Write ``network`` as an ONNX model of opset 17, whole or not at all; ``path`` is returned.

    Each int8 row becomes DequantizeLinear -> operator -> QuantizeLinear (QDQ) with int8 weights, a scale a channel
    where there is one, and int32 biases at the scale of their products: what ONNX Runtime fuses into int8 kernels.
    Those round otherwise than ours, by at most one step a layer. Inputs and outputs keep their names, shapes and
    dtypes; inside, images are NCHW.

    Raises ``NotSupported`` for a row that ONNX has no operator for, and ``InvalidInput`` for a path that cannot be
    written.
    """
    if not isinstance(network, Network):
        raise InvalidInput("network", f"of type {type(network).__name__}", "give what selvedge.load_tflite returned")
    if not isinstance(path, str | PathLike):
        raise InvalidInput("path", f"of type {type(path).__name__}", "give that of the file to write")
    write(Path(path), onnx.written(network.graph, network.name).SerializeToString(deterministic=True))
    return Path(path)
