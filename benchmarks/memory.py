"""Bytes of one full step at batch 1: planned, measured, bound; and what PyTorch allocates for the same step."""

from __future__ import annotations

from typing import Any

import torch
from rich.progress import track
from torch import nn

import selvedge as sv
from selvedge import zoo

MODELS = (
    "resnet8",
    "ds_cnn",
    "mobilenet_v1_025",
    "deep_autoencoder",
    "mobilenet_v2?width=0.35&resolution=96",
)


def run(device: sv.Device) -> list[dict[str, Any]]:
    """A row a model and treatment of norms; plain SGD, update full, batch 1."""
    cases = [(spec, norms) for spec in MODELS for norms in ("folded", "frozen")]
    return [_case(spec, norms, device) for spec, norms in track(cases, description="memory")]


def _case(spec: str, norms: str, device: sv.Device) -> dict[str, Any]:
    model, example, loss = zoo.make(spec)
    model.eval()
    plan = sv.plan(model, example, loss=loss, device=device, norms=norms, optimizer=sv.SGD(lr=1e-3))
    found = sv.measured(plan)
    assert found.faults == (), found.faults
    memory = plan.arrangement.memory
    return {
        "model": spec,
        "norms": norms,
        "planned": memory.arena,
        "measured": found.arena,
        "persistent": memory.persistent,
        "transient": memory.transient,
        "bound": memory.bound - memory.persistent,
        "bound_any_order": memory.any_order - memory.persistent,
        "stack": found.stack["step"],
        "pytorch": pytorch_peak(model, example, loss),
    }


def pytorch_peak(model: nn.Module, example: torch.Tensor, loss: str) -> int:
    """Peak bytes of PyTorch's CPU allocator in one eager step, the parameters included, the process apart.

    The profiler records every allocation and release; the peak is that of their running sum.
    """
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    held = sum(t.numel() * t.element_size() for t in model.state_dict().values())
    held += example.numel() * example.element_size()

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        output = model(example)
        y = torch.zeros(len(output), dtype=torch.long)
        value = (
            nn.functional.mse_loss(output, example)
            if loss == "reconstruction"
            else nn.functional.cross_entropy(output, y)
        )
        value.backward()
        optimizer.step()

    step()
    optimizer.zero_grad(set_to_none=True)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        step()
    now = peak = 0
    for event in profile.profiler.kineto_results.events():
        if event.name() == "[memory]":
            now += event.nbytes()
            peak = max(peak, now)
    return held + peak


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown."""
    lines = [
        "| model | norms | planned B | measured B | learns B | in passing B "
        "| bound (order) | bound (any order) | stack B | PyTorch B |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for r in rows:
        lines.append(
            f"| `{r['model']}` | {r['norms']} | {r['planned']:,} | {r['measured']:,} | {r['persistent']:,} "
            f"| {r['transient']:,} | {r['bound']:,} | {r['bound_any_order']:,} | {r['stack']:,} | {r['pytorch']:,} |"
        )
    return "\n".join(lines)
