"""What ``prepare_qat_pt2e`` of torchao 0.18 spoils, undone: each mend has a test that fails without it.

- It writes its own pattern in the place of convolution and norm: eps 1e-3 and momentum 0.01 become 1e-5 and 0.1.
- Converting folds the norm with eps 1e-5 whatever it was trained with.
- Its switch between training and evaluation replaces dropout by a pattern: p = 0.2 becomes 0.5. Ours sets the flags of the
  operators that are there.
"""

from __future__ import annotations

import torch
from torch.fx import GraphModule, Node

from .layers import constant
from .operators import DROPOUTS, NORMS, aten

EPS = 1e-5  # what torchao's folding takes
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


def absorb(prepared: GraphModule) -> None:
    """Move what eps differs from 1e-5 into the running variance, in place: the same function in eval mode, and one that
    torchao's folding does not change."""
    done: set[str] = set()
    for node in _norms(prepared.graph):
        variance, eps = node.args[4], float(str(node.args[_EPS]))
        assert isinstance(variance, Node)
        if str(variance.target) not in done:
            done.add(str(variance.target))
            constant(prepared, variance).add_(eps - EPS)
        node.update_arg(_EPS, EPS)
        for sum_ in _sums(node):
            sum_.update_arg(1, EPS)
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


def _norms(graph: torch.fx.Graph) -> list[Node]:
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
