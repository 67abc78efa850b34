"""Losses, and rows found by a number: what reads integers."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from selvedge.ir import Node, Value
from selvedge.ir.ops.integer_convolution import known
from selvedge.ir.ops.loss import IGNORED

from .formula import Formula
from .sheet import Sheet


def _target(f: Formula, labels: str, classes: int, smoothing: float) -> tuple[str, str, str]:
    """One-hot labels mixed with the uniform distribution, [N, K]; which rows count, bool [N, 1]; how many, []."""
    sheet = f.sheet
    ignored = sheet.constant(np.array(IGNORED, np.int32), "ignored")
    counted = f("Not", f("Equal", labels, ignored))
    column = sheet.constant(np.array([1], np.int64), "axes")
    numbers = sheet.constant(np.arange(classes, dtype=np.int32), "classes")
    own = f("Equal", sheet.emit("Unsqueeze", [labels, column], "labels"), numbers)
    hot = f.where(own, 1 - smoothing + smoothing / classes, smoothing / classes)
    rows = sheet.emit("Unsqueeze", [counted, column], "counted")
    number = f.sum(f.cast(counted, f.dtype), (0,), keepdims=False)
    return f.where(rows, hot, 0.0), rows, number


def _cross_entropy(sheet: Sheet, node: Node) -> None:
    logits, labels = (sheet.tensor(v) for v in node.inputs)
    f = Formula(sheet, node.specs[0].dtype)
    log_p = sheet.emit("LogSoftmax", [logits], "log_softmax")
    target, _, number = _target(f, labels, node.inputs[0].shape[1], node.attrs["label_smoothing"])
    total = f.sum(f("Mul", target, log_p), (0, 1), keepdims=False)
    sheet.put(Value(node, 0), f("Neg", f("Div", total, number)))
    sheet.put(Value(node, 1), f("Exp", log_p))


def _cross_entropy_grad(sheet: Sheet, node: Node) -> None:
    probabilities, labels, dloss = (sheet.tensor(v) for v in node.inputs)
    f = Formula(sheet, node.specs[0].dtype)
    target, rows, number = _target(f, labels, node.inputs[0].shape[1], node.attrs["label_smoothing"])
    apart = f.where(rows, f("Sub", probabilities, target), 0.0)
    sheet.put(Value(node), f("Mul", apart, f("Div", dloss, number)))


def _index(sheet: Sheet, node: Node, i: int, skipped: tuple[int, ...]) -> tuple[str, str | None]:
    """(index [B, N], where it is none of the ``skipped``: those are 0 in it) of operand ``i``; None: all count."""
    index, f = sheet.tensor(node.inputs[i]), Formula(sheet, "int32")
    counted = None
    for number in skipped:
        other = f("Not", f("Equal", index, number))
        counted = other if counted is None else f("And", counted, other)
    return (index, None) if counted is None else (f.where(counted, index, 0), counted)


def _from_the_front(sheet: Sheet, index: str, given: Value, rows: int) -> str:
    """``index``; in a program with the number of rows, which a runtime refuses, in the place of what is below 0: the
    standard counts that from the end, and no row of ours does. Of what is constant it is known."""
    if not sheet.program or known(given) is not None:
        return index
    f = Formula(sheet, "int32")
    return f.where(f("Less", index, 0), rows, index)


def _everywhere(sheet: Sheet, index: str, shape: tuple[int, int, int]) -> str:
    """index [B, N], or what is said of each, as [A, N, C]."""
    rows = sheet.emit("Unsqueeze", [index, sheet.constant(np.array([2], np.int64), "axes")], "rows")
    return sheet.emit("Expand", [rows, sheet.constant(np.array(shape, np.int64), "shape")], "everywhere")


def _take(sheet: Sheet, node: Node) -> None:
    x, ignored = node.inputs[0], node.attrs.get("ignored")
    f, (a, n, c) = Formula(sheet, x.dtype), node.specs[0].shape
    index, counted = _index(sheet, node, 1, () if ignored is None else (ignored,))
    index = _from_the_front(sheet, index, node.inputs[1], x.shape[1])
    if node.inputs[1].shape[0] == 1:
        made = sheet.emit("Gather", [sheet.tensor(x), sheet.shaped(index, (n,))], "take", axis=1)
    else:
        made = sheet.emit("GatherElements", [sheet.tensor(x), _everywhere(sheet, index, (a, n, c))], "take", axis=1)
    if counted is not None:
        rows = sheet.emit("Unsqueeze", [counted, sheet.constant(np.array([2], np.int64), "axes")], "rows")
        made = f.where(rows, made, 0.0)
    sheet.put(Value(node), made)


def _scatter(sheet: Sheet, node: Node) -> None:
    """scatter_add, and scatter_onto, which begins with its first operand."""
    onto = node.op == "scatter_onto"
    dy, f = node.inputs[-2], Formula(sheet, node.specs[0].dtype)
    skipped = {node.attrs["skip"], node.attrs.get("ignored")} - {None, -1}
    index, counted = _index(sheet, node, len(node.inputs) - 1, tuple(sorted(skipped)))
    given, shape = sheet.tensor(dy), sheet.constant(np.array(node.specs[0].shape, np.int64), "shape")
    if counted is not None:
        rows = sheet.emit("Unsqueeze", [counted, sheet.constant(np.array([2], np.int64), "axes")], "rows")
        given = f.where(rows, given, 0.0)
    into = sheet.tensor(node.inputs[0]) if onto else f("Expand", 0.0, shape)
    places = _everywhere(sheet, index, (dy.shape[0], dy.shape[1], dy.shape[2]))
    sheet.put(Value(node), sheet.emit("ScatterElements", [into, places, given], node.op, axis=1, reduction="add"))


def _resample(sheet: Sheet, node: Node) -> None:
    """As many elements for each row as the longest takes, those that are missing weighing nothing."""
    x, f = sheet.tensor(node.inputs[0]), Formula(sheet, node.specs[0].dtype)
    starts, index = np.array(node.attrs["starts"]), node.attrs["index"]
    weights = node.attrs["weights"] or (1.0,) * len(index)
    a, n, c = node.specs[0].shape
    most = max(1, int(np.diff(starts).max()))
    picks, shares = np.zeros((n, most), np.int64), np.zeros((n, most))
    for i, (start, stop) in enumerate(pairwise(starts)):
        picks[i, : stop - start], shares[i, : stop - start] = index[start:stop], weights[start:stop]
        picks[i, stop - start :] = index[start] if stop > start else 0
    made = sheet.emit("Gather", [x, sheet.constant(picks.reshape(-1), "rows")], "resample", axis=1)
    if most > 1 or (shares != 1).any():
        apart = sheet.shaped(made, (a, n, most, c))
        weighed = f("Mul", apart, sheet.constant(shares[:, :, None].astype(f.dtype), "weights"))
        made = f.sum(weighed, (2,), keepdims=False)
    sheet.put(Value(node), made)


def _cumsum(sheet: Sheet, node: Node) -> None:
    axis = sheet.constant(np.array(1, np.int64), "axis")
    given = [sheet.tensor(node.inputs[0]), axis]
    sheet.put(Value(node), sheet.emit("CumSum", given, "cumsum", reverse=int(node.attrs["reverse"])))


ROWS: dict[str, Callable[[Sheet, Node], Any]] = {
    "cross_entropy": _cross_entropy,
    "cross_entropy_grad": _cross_entropy_grad,
    "cumsum": _cumsum,
    "resample": _resample,
    "scatter_add": _scatter,
    "scatter_onto": _scatter,
    "take": _take,
}
"""Row -> how it is written."""
