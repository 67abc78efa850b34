"""One training step, native against PyTorch eager: same model, same weights, same batch, one thread."""

from __future__ import annotations

import copy
from dataclasses import asdict
from typing import Any

import torch
from rich.progress import track
from torch import nn

import selvedge as sv
from selvedge import zoo

from .timing import Timing, interleaved

CASES = [
    (spec, batch)
    for batch in (1, 8)
    for spec in (
        "resnet8",
        "ds_cnn",
        "mobilenet_v1_025",
        "deep_autoencoder",
        "mobilenet_v2?width=0.35&resolution=96",
        "resnet8?norm=none",
        "ds_cnn?norm=none",
        "mobilenet_v1_025?norm=none",
        "deep_autoencoder?norm=none",
    )
]


def run(device: sv.Device) -> list[dict[str, Any]]:
    """A row a case. Raises ``AssertionError`` if the two losses differ: then they do not do the same work."""
    torch.set_num_threads(1)
    return [_case(spec, batch, device) for spec, batch in track(CASES, description="steps")]


def _case(spec: str, batch: int, device: sv.Device) -> dict[str, Any]:
    model, example, loss = zoo.make(spec)
    model.eval()  # norms frozen on both sides
    plan = sv.plan(model, example, loss=loss, device=device, batch=batch, optimizer=sv.SGD(lr=1e-3))
    session = sv.compile(plan)
    x = torch.randn(batch, *example.shape[1:], generator=torch.Generator().manual_seed(0))
    y = None if loss == "reconstruction" else torch.arange(batch) % 2
    arrays = (x.numpy(), None if y is None else y.numpy())
    twin = copy.deepcopy(model)
    optimizer = torch.optim.SGD(twin.parameters(), lr=1e-3)

    def eager() -> float:
        optimizer.zero_grad(set_to_none=True)
        output = twin(x)
        value = nn.functional.mse_loss(output, x) if y is None else nn.functional.cross_entropy(output, y)
        value.backward()
        optimizer.step()
        return float(value.detach())

    def native() -> float:
        return session.step(*arrays)

    ours, theirs = native(), eager()
    assert abs(ours - theirs) <= 1e-4 * (1 + abs(theirs)), (spec, batch, ours, theirs)
    found = interleaved({"selvedge": native, "pytorch": eager})
    ratios = [p / s for p, s in zip(found["pytorch"], found["selvedge"], strict=True)]
    return {
        "model": spec,
        "batch": batch,
        "selvedge": asdict(Timing.of(found["selvedge"])),
        "pytorch": asdict(Timing.of(found["pytorch"])),
        "times_faster": asdict(Timing.of(ratios)),
        "arena_bytes": plan.arena_bytes,
        "gmacs_per_second": plan.arrangement.programs["step"].macs / Timing.of(found["selvedge"]).median / 1e9,
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown."""
    lines = [
        "| model | batch | Selvedge ms | PyTorch eager ms | times faster (quartiles) |",
        "|---|---:|---:|---:|---:|",
    ]
    for r in rows:
        s, p, f = r["selvedge"], r["pytorch"], r["times_faster"]
        lines.append(
            f"| `{r['model']}` | {r['batch']} | {s['median'] * 1e3:.3f} ({s['low'] * 1e3:.3f}-{s['high'] * 1e3:.3f}) "
            f"| {p['median'] * 1e3:.2f} ({p['low'] * 1e3:.2f}-{p['high'] * 1e3:.2f}) "
            f"| **{f['median']:.1f}** ({f['low']:.1f}-{f['high']:.1f}) |"
        )
    return "\n".join(lines)
