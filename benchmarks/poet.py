"""POET's case, planned and executed: ResNet-18 on CIFAR-10 under budgets of RAM, by rows, made again and paged.

Patil et al., *POET: Training neural networks on tiny devices with integrated rematerialization and paging*, ICML 2022.
What is taken from its repository (github.com/ShishirPatil/poet): its ``resnet18_cifar``, batch 1, the least energy
within 1.4 times the plain time, and a Cortex-M4F's figures. As there, a budget is of what is in passing: parameters are
apart.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import selvedge as sv
from selvedge.capture import capture
from selvedge.planning.arrange import arrange
from selvedge.planning.check import check

from .memory import PLAIN, kib
from .peers import Failed
from .work import RATE

SHARES = (0.8, 0.6, 0.4, 0.3, 0.25)  # of the plain step's bytes in passing
SLOWDOWN = 1.4
TRADE = sv.Trade(page=True, objective="energy", slowdown=SLOWDOWN)
LEAST = sv.Trade(page=True, objective="energy", slowdown=SLOWDOWN, least=True)
SECONDS = 60.0  # a plan may take
STEPS = 3
EQUAL = 1e-6  # of the largest number of an array


class Block(nn.Module):
    """Two 3x3 convolutions and a shortcut. poets: the shortcut is a third 3x3 convolution in every block, and there is
    a ReLU before the sum as well as after it; else as He et al., CVPR 2016: 1x1, only where the shape changes."""

    def __init__(self, wide: int, width: int, stride: int, poets: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(wide, width, 3, stride, 1, bias=poets)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=poets)
        self.bn2 = nn.BatchNorm2d(width)
        self.inner = nn.ReLU() if poets else nn.Identity()
        self.shortcut: nn.Module = nn.Identity()
        if poets:
            self.shortcut = nn.Sequential(nn.Conv2d(wide, width, 3, stride, 1), nn.BatchNorm2d(width))
        elif stride != 1 or wide != width:
            self.shortcut = nn.Sequential(nn.Conv2d(wide, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.inner(self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x))))))
        return torch.relu(y + self.shortcut(x))


class ResNet(nn.Module):
    """A 3x3 stem and two blocks a stage: float32 [N, 3, 32, 32] -> [N, 10]."""

    def __init__(self, widths: Sequence[int], poets: bool) -> None:
        super().__init__()
        stem = nn.Conv2d(3, widths[0], 3, 1, 1, bias=poets)
        layers: list[nn.Module] = [stem, nn.BatchNorm2d(widths[0]), nn.Identity() if poets else nn.ReLU()]
        wide = widths[0]
        for i, width in enumerate(widths):
            layers += [Block(wide, width, 2 if i else 1, poets), Block(width, width, 1, poets)]
            wide = width
        self.features = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(wide, 10))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.features(x))
        return logits


NETS: Mapping[str, Callable[[], nn.Module]] = {
    "POET's, 16-32-64": lambda: ResNet((16, 32, 64), poets=True),
    "ResNet-18, 64-512": lambda: ResNet((64, 128, 256, 512), poets=False),
}


def poets_m4() -> sv.Device:
    """POET's Cortex-M4F at 64 MHz with an SD card (its chipsets.py): 1.6283e9 operations in 255.6 s at 3.328 mA and
    3.3 V; 4.4 MB/s to the card and 4.6 MB/s from it at 100 mA. It gives RAM no rate, joules or size: it is taken at two
    bytes a cycle, at next to no joules, and without a limit, since POET leaves the parameters out; the card has 8 GB
    that can be written 1,000 times."""
    volts, out, back = 3.3, 4.44e6, 4.61651e6
    return sv.Device(
        name="POET's Cortex-M4F", ram="1GiB", flash=0, clock_hz=64e6, alignment=4,
        throughput={"float32": 1.6283e9 / 255.6237 / 2},
        bandwidth={"ram": 128e6, "storage": back, "storage_write": out},
        energy={
            "static_w": 3.328e-3 * volts,
            "band": 0.5,
            "byte_j": {"ram": 1e-18, "storage": 0.1 * volts / back, "storage_write": 0.1 * volts / out},
        },
        storage={"size": "8GB", "endurance": 1000},
    )  # fmt: skip


def cases() -> Iterator[tuple[str, sv.Device]]:
    """Net and device; the large one's parameters alone would take a microcontroller's RAM many times over."""
    for net in NETS:
        yield net, sv.Device.load("raspberry-pi-4")
    yield next(iter(NETS)), poets_m4()


def run(models: Sequence[str] = tuple(NETS), quick: bool = False) -> Iterator[dict[str, Any]]:
    """A row a net, device and budget."""
    for net, device in cases():
        if net in models:
            yield from _rows(net, device, SHARES[:1] if quick else SHARES)


def _rows(net: str, device: sv.Device, shares: Sequence[float]) -> Iterator[dict[str, Any]]:
    torch.manual_seed(0)
    model = NETS[net]().eval()
    x, y = torch.randn(1, 3, 32, 32), torch.tensor([3])

    start = time.perf_counter()
    capture(model, (x,))
    captured = time.perf_counter() - start
    plain = sv.plan(model, x, device=device, optimizer=sv.SGD(lr=RATE), trade=PLAIN)

    def planned(trade: sv.Trade, room: int) -> tuple[sv.Plan, float]:
        """The plan, and the seconds from the model to its checked end. What does not fit is left as it is, and no
        other change is looked for."""
        start = time.perf_counter()
        made = arrange(plain.programs.graphs, device, room=plain.persistent_bytes + room, trade=trade)
        check(made)
        return replace(plain, arrangement=made), captured + time.perf_counter() - start

    learnt = _executed(plain, x.numpy(), y.numpy())["state"]
    about = {"net": net, "device": device.name, "persistent": plain.persistent_bytes, "plain": plain.transient_bytes}
    about |= {"plain_seconds": plain.cost.seconds, "plain_joules": plain.cost.joules}
    least: sv.Plan | None = None
    for share in shares:
        room = int(share * plain.transient_bytes)
        made, took = planned(TRADE, room)
        row = {**about, "share": share, "room": room, "seconds_to_plan": round(took, 2)}
        if made.transient_bytes > room:
            least = least or planned(LEAST, 0)[0]
            yield {**row, "least": least.transient_bytes}
            continue
        found = sv.measured(made)
        if found.faults or found.arena != made.arena_bytes:
            why = found.faults[0] if found.faults else f"{found.arena:,} B, planned were {made.arena_bytes:,} B"
            raise Failed(f"{net} in {share:.0%}: {why}")
        done = _executed(made, x.numpy(), y.numpy())
        saved = made.arrangement.programs["step"].saved
        yield {
            **row,
            "transient": made.transient_bytes,
            "storage": made.arrangement.memory.storage,
            "seconds": made.cost.seconds,
            "joules": made.cost.joules,
            "streamed": saved.streamed if saved else 0,
            "again": saved.again if saved else 0,
            "paged_out": saved.paged_out if saved else 0,
            "paged_in": saved.paged_in if saved else 0,
            "written": done["written"],
            "read": done["read"],
            "wear_runs": device.storage.runs(done["written"]) if device.storage else None,
            "difference": _difference(done["state"], learnt),
        }


def _executed(plan: sv.Plan, x: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    """What ``STEPS`` steps of the compiled plan leave, and the bytes that one of them wrote and read: the kernel's own
    count of this process."""
    session = sv.compile(plan)
    for _ in range(STEPS - 1):
        session.step(x, y)
    before = _io()
    session.step(x, y)
    after = _io()
    return {
        "state": session.snapshot(),
        "written": after["wchar"] - before["wchar"],
        "read": after["rchar"] - before["rchar"] - before["own"],
    }


def _io() -> dict[str, int]:
    text = Path("/proc/self/io").read_text()
    return {**{k: int(v) for k, v in (line.split(":") for line in text.splitlines())}, "own": len(text)}


def _difference(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> float:
    """The largest of any array, as a part of its largest number; 0 where all are equal bit for bit."""
    worst = 0.0
    for name, expected in other.items():
        if one[name].tobytes() != expected.tobytes():
            error = float(np.abs(one[name].astype(np.float64) - expected).max())
            worst = max(worst, error / max(float(np.abs(expected).max()), 1e-30))
    return worst


def line(row: dict[str, Any]) -> str:
    """One row for the eye, while the others are made."""
    what = f"{row['net']} on {row['device']}, {row['share']:.0%} = {row['room']:,} B, {row['seconds_to_plan']:.1f} s"
    if "transient" not in row:
        return f"{what}: not within {SLOWDOWN} x the time; the least is {row['least']:,} B"
    return (
        f"{what}: {row['transient']:,} B, {row['seconds'] / row['plain_seconds']:.2f} x s, "
        f"{row['joules'] / row['plain_joules']:.2f} x J, rows {row['streamed']}, again {row['again']}, "
        f"out {row['paged_out']:,} B, in {row['paged_in']:,} B, off {row['difference']:.1e}"
    )


def slower(rows: Sequence[dict[str, Any]]) -> list[str]:
    """What breaks the table's promise."""
    wrong = []
    for r in rows:
        who = f"{r['net']} on {r['device']} in {r['share']:.0%}"
        if r["seconds_to_plan"] >= SECONDS:
            wrong.append(f"{who}: {r['seconds_to_plan']:.0f} s to plan")
        if "transient" not in r:
            continue
        if r["transient"] > r["room"]:
            wrong.append(f"{who}: {r['transient']:,} B")
        if (r["written"], r["read"]) != (r["paged_out"], r["paged_in"]):
            wrong.append(f"{who}: wrote {r['written']:,} B and read {r['read']:,} B, which was not planned")
        if not r["difference"] <= EQUAL:
            wrong.append(f"{who}: its state is {r['difference']:.1e} off the plain plan's")
    return wrong


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown."""
    lines = [
        "| net | device | budget KiB | in passing KiB | plan s | J | × J | s | × s | by rows | again "
        "| out KiB | in KiB | steps a card lasts | off |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for r in rows:
        head = f"| {r['net']} | {r['device']} | {kib(r['room'])} ({r['share']:.0%}) "
        if "transient" not in r:
            lines.append(f"{head}| no: {kib(r['least'])} at least | {r['seconds_to_plan']:.1f} |" + " - |" * 10)
            continue
        wear = "-" if r["wear_runs"] is None else f"{r['wear_runs']:.1e}"
        off = "0" if r["difference"] == 0 else f"{r['difference']:.0e}"
        lines.append(
            f"{head}| {kib(r['transient'])} | {r['seconds_to_plan']:.1f} | {r['joules']:.3g} "
            f"| {r['joules'] / r['plain_joules']:.2f} | {r['seconds']:.3g} | {r['seconds'] / r['plain_seconds']:.2f} "
            f"| {r['streamed']} | {r['again']} | {kib(r['paged_out'])} | {kib(r['paged_in'])} | {wear} | {off} |"
        )
    return "\n".join(lines)
