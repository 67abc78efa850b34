"""nn.Module -> the graph that PT2E works on: any batch, nothing of the user's module changed."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.fx import GraphModule
from torch.fx.experimental.symbolic_shapes import free_symbols

from ..capture.source import of_error
from ..errors import InvalidInput, NotSupported, one_line
from .layers import mark

Inputs = tuple[torch.Tensor, ...]


def exported(model: nn.Module, example: Inputs, train: bool = False) -> GraphModule:
    """A copy of ``model`` as ATen operators, its layers marked, in eval mode or in training mode.

    example: the model's inputs, [N, ...] each; the graph takes any N. Parameters and buffers keep their names. Raises
    :class:`NotSupported` with the user's line where torch.export cannot follow.
    """
    if not isinstance(model, nn.Module):
        raise InvalidInput("model", f"of type {type(model).__name__}", "give an nn.Module")
    copied = copy.deepcopy(model).train(train)
    # A batch of 1 would be taken for a constant of the model.
    given = tuple(x if x.shape[0] > 1 else torch.cat([x, x]) for x in example)
    shapes = tuple({0: torch.export.Dim.AUTO} for _ in given)
    with quiet():
        try:
            program = torch.export.export(copied, given, dynamic_shapes=(shapes,) if _variadic(copied) else shapes)
            module = program.module(check_guards=False)
        except Exception as error:
            text = str(error).strip() or type(error).__name__
            says = f"torch.export says: {one_line(text.splitlines()[0])}"
            raise NotSupported("this model", of_error(error), says) from error
    assert isinstance(module, GraphModule)
    for node in module.graph.nodes:
        if node.op == "placeholder" and not free_symbols(node.meta["val"].shape[0]):
            fix = "write x.shape[0], or flatten(1), where its forward says how many samples there are"
            raise InvalidInput("model", f"bound to {node.meta['val'].shape[0]} samples a batch", fix)
    mark(module.graph)
    return module


@contextmanager
def quiet() -> Iterator[None]:
    """No warning and no log of torch's own, not of its errors either."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)  # what goes wrong is raised, and said in one line
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _variadic(model: nn.Module) -> bool:
    """Whether forward takes ``*inputs``, which torch.export wants nested."""
    code = getattr(type(model).forward, "__code__", None)
    return code is not None and code.co_argcount == 1 and bool(code.co_flags & 0x04)
