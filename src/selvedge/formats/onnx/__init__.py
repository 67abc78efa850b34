"""ONNX files: int8 networks written as QDQ models, and read, float operators too."""

from .graph import Read, graph
from .model import Model, parse, read
from .write import written

__all__ = ["Model", "Read", "graph", "parse", "read", "written"]
