"""ONNX files: int8 networks written as QDQ or as int8 operators, and read, float operators too."""

from .graph import Read, graph
from .model import Model, parse, read
from .write import FORMS, written

__all__ = ["FORMS", "Model", "Read", "graph", "parse", "read", "written"]
