"""The ``.tflite`` file: read without LiteRT and without trust, and the graph that its int8 operators are."""

from .from_graph import model
from .graph import Read, compute, graph
from .model import Model, Operator, Tensor
from .read import parse, read
from .write import written

__all__ = ["Model", "Operator", "Read", "Tensor", "compute", "graph", "model", "parse", "read", "written"]
