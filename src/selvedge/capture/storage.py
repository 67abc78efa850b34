"""How each state array is stored: as its first reader among the products wants it, else as PyTorch does."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..artifact.layout import Layout

_PRODUCTS = ("aten.conv", "aten.linear.")
_RECURRENT = ("aten.gru", "aten.lstm", "aten.rnn_")


def stored_as(face: tuple[int, ...], readers: Sequence[tuple[torch.fx.Node, torch.fx.Node]]) -> Layout:
    """``face``: PyTorch's shape. ``readers``: (reading node, placeholder) in order of execution."""
    if any(str(node.target).startswith("aten.embedding.") and node.args[0] is leaf for node, leaf in readers):
        return Layout.of(face)  # rows are found by number; a linear layer of the same weight reads it as it lies
    for node, placeholder in readers:
        if len(face) == 2 and str(node.target).startswith(_RECURRENT) and placeholder not in node.args[:2]:
            return Layout.of(face, (1, 0))
        is_weight = len(node.args) > 1 and node.args[1] is placeholder
        if not is_weight or not str(node.target).startswith(_PRODUCTS):
            continue
        if len(face) == 5:
            outs, ins, depth, height, width = face
            return Layout((3, 4, 2, 1, 0), (height, width, depth * ins, outs), face)
        if len(face) == 4:
            return Layout.of(face, (2, 3, 1, 0))
        if len(face) == 3:
            outs, ins, width = face
            return Layout((2, 1, 0), (1, width, ins, outs), face)
        if len(face) == 2:
            return Layout.of(face, (1, 0))
    return Layout.of(face)
