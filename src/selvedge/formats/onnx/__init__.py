"""ONNX files: int8 networks written as QDQ or as int8 operators, and read, float operators too."""

from .graph import RULES as READ
from .graph import Read, graph
from .model import Model, parse, read
from .write import FORMS, LACKS, RULES, program, written

__all__ = ["FORMS", "LACKS", "READ", "RULES", "Model", "Read", "graph", "parse", "program", "read", "written"]
