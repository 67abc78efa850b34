"""What a training step is: graphs, the op table, the verifier and the numpy interpreter."""

from . import ops as ops
from .build import (
    broadcast,
    constant,
    input_leaf,
    reduce,
    reshape,
    scalar,
    scale,
    state_leaf,
    transpose,
    trim,
    unbroadcast,
    zeros,
)
from .freeze import frozen, replaced
from .graph import ITEM_BYTES, LEAVES, Graph, Node, Spec, Value, consumers, topological
from .interpret import evaluate_node, interpret
from .joined import joined
from .op import TABLE, Cost, Op, apply, register, results
from .quant import Quant
from .simplify import simplified
from .verify import problems, verify

__all__ = [
    "ITEM_BYTES",
    "LEAVES",
    "TABLE",
    "Cost",
    "Graph",
    "Node",
    "Op",
    "Quant",
    "Spec",
    "Value",
    "apply",
    "broadcast",
    "constant",
    "consumers",
    "evaluate_node",
    "frozen",
    "input_leaf",
    "interpret",
    "joined",
    "problems",
    "reduce",
    "register",
    "replaced",
    "reshape",
    "results",
    "scalar",
    "scale",
    "simplified",
    "state_leaf",
    "topological",
    "transpose",
    "trim",
    "unbroadcast",
    "verify",
    "zeros",
]
