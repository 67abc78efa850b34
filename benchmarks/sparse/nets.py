"""Whole networks on this machine: dense, as the plan chooses, and with every layer sparse that is smaller so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

import selvedge as sv
from benchmarks.timing import Timing, ratios
from selvedge.errors import NotSupported
from selvedge.make.repeated import Repeated
from selvedge.zoo import make

from .layers import in_turn, turn
from .reference import host
from .shapes import SPARSITIES

NETS = ("deep_autoencoder", "ds_cnn", "mobilenet_v1_025")
ROUNDS, TURN = 41, 0.003
NEAR = 1e-4  # of the largest output: sums in another order, layer after layer


def settings() -> dict[str, dict[str, Any]]:
    """Name -> arguments of sv.sparsify."""
    made: dict[str, dict[str, Any]] = {f"{p} %": {"sparsity": p / 100} for p in SPARSITIES}
    return made | {"2:4": {"pattern": "2:4"}, "1:4": {"pattern": "1:4"}}


def rows(width: int, rounds: int = ROUNDS, nets: tuple[str, ...] = NETS) -> Iterator[dict[str, Any]]:
    device, _ = host(width)
    for name in nets:
        torch.manual_seed(0)
        model, example, _ = make(name)
        model, x = model.eval(), example[:1]
        for pattern, given in settings().items():
            try:
                made = sv.sparsify(model, **given)
            except sv.InvalidInput as error:
                yield {"network": name, "pattern": pattern, "vector_bytes": width, "failed": str(error)}
                continue
            row: dict[str, Any] = {"network": name, "pattern": pattern, "vector_bytes": width, "held": len(made.held)}
            plans = {
                "dense": sv.plan_inference(made.model, x, device=device, sparse="never"),
                "auto": sv.plan_inference(made.model, x, device=device),
                "all": sv.plan_inference(made.model, x, device=device, sparse="for_bytes"),
            }
            codes = {way: Repeated(plan.arrangement, plan.name) for way, plan in plans.items()}
            _agree(codes, made.model, plans["dense"], x.shape)
            times = {way: code.seconds(TURN)[0] for way, code in codes.items()}
            found = in_turn({w: turn(code, times[w]) for w, code in codes.items()}, rounds)
            each = {w: {t: s / times[w] for t, s in took.items()} for w, took in found.items()}
            for way, plan in plans.items():
                row[way] = asdict(Timing.of(list(each[way].values()))) | {
                    "bytes": plan.weights_bytes,
                    "ram": plan.arena_bytes,
                    "taken": sum(s.taken for s in plan.sparse),
                    "layers": len(plan.sparse),
                    "speedup": asdict(Timing.of(ratios(each[way], each["dense"]))),
                }
            try:
                sv.plan_inference(made.model, x, device=device, sparse="for_speed")
                row["for_speed"] = "taken"
            except NotSupported as error:
                row["for_speed"] = str(error)
            yield row


def _agree(codes: dict[str, Repeated], model: torch.nn.Module, plan: sv.Inference, shape: torch.Size) -> None:
    """Raise unless all ways compute what PyTorch does."""
    given = torch.from_numpy(np.random.default_rng(3).normal(size=tuple(shape)).astype(np.float32))
    with torch.no_grad():
        told = model(given)
    want = (told[0] if isinstance(told, tuple) else told).numpy()
    for way, code in codes.items():
        (x,), (y,) = code.inputs.values(), code.outputs.values()
        x[...] = plan.network.layout("x").store(given.numpy()).reshape(x.shape)
        code()
        off = float(np.abs(y.reshape(-1) - want.reshape(-1)).max() / max(np.abs(want).max(), 1e-6))
        if off > NEAR:
            raise AssertionError(f"{way}: off by {off:.1e} of the largest output")
