"""Bytes of one training step of a network of the zoo at batch 1: planned and measured, and in the hands of others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import torch

import selvedge as sv

from .cells import failure
from .memory import LEAST, PLAIN, figures, planned
from .peer_memory import cell
from .peers import Failed, executorch, pytorch
from .work import NORMS, WithLoss, Work

LAST = 3  # layers of the sparse step; fewer where a network has no more
VARIANTS = ("full", "lighter", "sparse", "auto")
PEERS = ("pytorch", "executorch")
CLOSE = 1e-4  # of one plus the loss


def ours(spec: str) -> dict[str, Any]:
    """Every variant planned and measured, norms folded where that is possible; the losses of the first step.

    "auto" is what ``update="auto"`` finds without calibration data in half of the full step's arena, with the trade
    that a plan has by default. Raises :class:`Failed` unless what is measured is what was planned, and the loss is
    PyTorch's.
    """
    work, others = Work(spec, settled=True), given(spec)
    sparse = f"last:{min(LAST, layers(others) - 1)}"
    full = planned(work, "folded", "full", PLAIN)
    folds, norms = len(full.captured.folds), full.captured.batch_norms
    left = sum(isinstance(m, NORMS) for m in others.own.modules())
    if left != norms - folds:
        raise Failed(f"{left} norms are left to the others, {norms - folds} here")
    made: dict[str, Any] = {}
    measuring: dict[str, tuple[sv.Plan, Future[sv.Measured]]] = {}
    with ThreadPoolExecutor(1) as beside:  # a compiler, most of the time

        def measure(name: str, plan: sv.Plan) -> None:
            measuring[name] = plan, beside.submit(sv.measured, plan)

        measure("full", full)
        first = beside.submit(_first, full, work)
        measure("lighter", planned(work, "folded", "full", LEAST))
        measure("sparse", planned(work, "folded", sparse, PLAIN))
        try:
            measure("auto", planned(work, "folded", "auto", None, full.arena_bytes // 2))
        except sv.DoesNotFit as error:
            made["auto"] = {"failed": str(error).splitlines()[0], "missing": False}
        for name, (plan, found) in measuring.items():
            made[name] = figures(plan, found.result())
        same(others, first.result())
    return {"norms": norms, "folded": folds, "input": list(work.x.shape[1:]), **made}


def theirs(spec: str, peer: str) -> int:
    """Bytes: the peak of PyTorch's allocator, or the arena of ExecuTorch's program.

    Raises :class:`Failed` where the peer cannot do the step, or does another one: its loss is not PyTorch's.
    """
    work = given(spec)
    if peer == "pytorch":
        return pytorch.allocated(work)
    arena = executorch.export(work).arena
    same(work, executorch.prepare(work).loss)
    return arena


def row(spec: str, apart: Callable[..., Any]) -> dict[str, Any]:
    """``apart(function, ...)`` calls it, in a process of its own: what one of them leaves behind or breaks is not the
    others'. A peer that fails says why in its place."""
    return {"model": spec, **apart(ours, spec), **{peer: cell(lambda p=peer: apart(theirs, spec, p)) for peer in PEERS}}


def given(spec: str) -> Work:
    """What the others are given: the network folded by PyTorch's own fusion, so that all do the same arithmetic."""
    return Work(spec, folded=True, settled=True)


def same(work: Work, loss: float) -> None:
    """Raises :class:`Failed` unless ``loss`` is PyTorch's."""
    with torch.no_grad():
        expected = float(WithLoss(work.own)(work.x, work.y))
    if not abs(loss - expected) <= CLOSE * (1 + abs(expected)):
        raise Failed(f"wrong loss: {loss:.6g}, PyTorch's is {expected:.6g}")


def layers(work: Work) -> int:
    """Modules with parameters of their own, the norms that are folded apart."""
    return sum(next(module.parameters(recurse=False), None) is not None for module in work.own.modules())


def _first(plan: sv.Plan, work: Work) -> float:
    y = None if work.y is None else work.y.numpy().astype(np.int32)
    return float(sv.compile(plan).step(work.x.numpy(), y))


def wrong(row: Mapping[str, Any]) -> list[str]:
    """What breaks a promise: more than 2 % above the bound of the order where better places are not proven to be
    impossible; or what a peer needs is not installed."""
    found = [(name, row[name]) for name in VARIANTS if not failure(row[name])]
    above = [n for n, f in found if f["transient"] > 1.02 * f["bound"] and not f["proven"]]
    absent = [row[peer]["failed"] for peer in PEERS if failure(row[peer]) and row[peer]["missing"]]
    return [*(f"{row['model']}, {n}: more than 2 % above the bound of its order" for n in above), *absent]
