"""The ``.tflite`` file: read without LiteRT and without trust, and the graph that its int8 operators are."""

from .from_graph import model
from .graph import Read, compute, graph
from .learnable import Learnable, learnable
from .model import Model, Operator, Program, Signature, Tensor
from .read import parse, read
from .signatures import program
from .write import written

__all__ = [
    "Learnable",
    "Model",
    "Operator",
    "Program",
    "Read",
    "Signature",
    "Tensor",
    "compute",
    "graph",
    "learnable",
    "model",
    "parse",
    "program",
    "read",
    "written",
]
