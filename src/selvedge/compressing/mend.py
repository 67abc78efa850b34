"""What ``prepare_qat_pt2e`` of torchao 0.18 spoils, undone: each mend has a test that fails without it.

- It writes its own pattern in the place of convolution and norm: eps 1e-3 and momentum 0.01 become 1e-5 and 0.1.
- Converting folds the norm with eps 1e-5 whatever it was trained with: ours folds before torchao converts.
- Its switch between training and evaluation replaces dropout by a pattern: p = 0.2 becomes 0.5. Ours sets the flags
  of the operators that are there.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.fx import GraphModule, Node

from .layers import constant
from .operators import DROPOUTS, NORMS, WEIGHTED, aten

_TRAINING, _MOMENTUM, _EPS = 5, 6, 7  # arguments of aten.batch_norm


def settings(graph: torch.fx.Graph) -> dict[str, tuple[float, float]]:
    """Norm (by its running mean's name) -> (momentum, eps)."""
    return {_key(n): (n.args[_MOMENTUM], n.args[_EPS]) for n in _norms(graph)}


def restore(prepared: GraphModule, before: dict[str, tuple[float, float]]) -> None:
    """Give every norm its momentum and eps, and the scale that weights are multiplied with the same eps, in place."""
    for node in _norms(prepared.graph):
        momentum, eps = before[_key(node)]
        node.update_arg(_MOMENTUM, momentum)
        node.update_arg(_EPS, eps)
        for sum_ in _sums(node):
            sum_.update_arg(1, eps)
    prepared.recompile()


@torch.no_grad()
def fold_norms(prepared: GraphModule) -> None:
    """Fold the norms of a graph in eval mode into the weights that are fake-quantised, and into biases, in place.

    The pattern's weight is w * s with s = gamma / sqrt(var + eps) already; what is left is the bias (b - mean) * s +
    beta.
    """
    graph = prepared.graph
    for norm in _norms(graph):
        layer, scaled = _fused(norm)
        if layer is None or scaled is None:
            continue  # float, as it was wanted
        weight = scaled.args[0]
        gamma, beta, mean, variance = (constant(prepared, a) for a in norm.args[1:5])
        factor = gamma / torch.sqrt(variance + norm.args[_EPS])
        value, name = constant(prepared, weight), str(weight.target)
        added = next((n for n in norm.all_input_nodes if n.target is aten.add.Tensor), None)
        bias = constant(prepared, added.args[1].args[0]) if added is not None else torch.zeros_like(mean)
        called = f"{name.removesuffix('weight')}bias"
        _put(prepared, name, value * factor.reshape(-1, *(1,) * (value.dim() - 1)))
        _put(prepared, called, (bias - mean) * factor + beta)
        with graph.inserting_before(scaled):
            scaled.replace_all_uses_with(graph.get_attr(name))
        with graph.inserting_before(layer):
            layer.args = (*layer.args[:2], graph.get_attr(called), *layer.args[3:])
        norm.replace_all_uses_with(layer)
    for node in reversed(graph.nodes):
        if not node.users and node.op in ("call_function", "get_attr"):
            graph.erase_node(node)
    prepared.recompile()


def switch(module: GraphModule, train: bool, norms: bool | None = None) -> None:
    """Dropout and norms in training or evaluation, in place. norms: of these alone, where they are frozen earlier."""
    learning = train if norms is None else norms
    for node in module.graph.nodes:
        if node.target in DROPOUTS:
            node.update_arg(2, train)
        elif node.target in NORMS:
            node.update_arg(_TRAINING, learning)
    for node in list(module.graph.nodes):  # the counter of batches
        if node.target is aten.add_.Tensor and node.args[0].op == "get_attr":
            node.update_arg(1, int(learning))
    module.recompile()


def unfused(graph: torch.fx.Graph) -> Node | None:
    """A norm behind a fake-quantised weight that torchao's pattern does not know: behind a linear layer, say."""
    for norm in _norms(graph):
        layer, scaled = _fused(norm)
        if layer is not None and scaled is None and layer.args[1].op == "call_module":
            assert isinstance(norm, Node)
            return norm
    return None


def _fused(norm: Node) -> tuple[Any, Any]:
    """(the layer before ``norm``, its scaled weight), None for what is not there."""
    layer: Any = norm.args[0]
    while isinstance(layer, Node) and layer.target not in WEIGHTED:
        if layer.target not in (aten.div.Tensor, aten.add.Tensor):
            return None, None
        layer = layer.args[0]
    if not isinstance(layer, Node):
        return None, None
    weight: Any = layer.args[1]
    scaled = weight.args[0] if weight.op == "call_module" else weight
    return layer, scaled if scaled.target is aten.mul.Tensor else None


def _put(module: GraphModule, name: str, value: torch.Tensor) -> None:
    owner, _, last = name.rpartition(".")
    setattr(module.get_submodule(owner), last, torch.nn.Parameter(value))


def _norms(graph: torch.fx.Graph) -> list[Any]:
    return [node for node in graph.nodes if node.target in NORMS]


def _key(node: Node) -> str:
    mean = node.args[3]
    assert isinstance(mean, Node)
    return str(mean.target)


def _sums(norm: Node) -> list[Node]:
    """Where the pattern adds eps to this norm's running variance."""
    variance = norm.args[4]
    assert isinstance(variance, Node)
    return [user for user in variance.users if user.target is aten.add.Tensor]
