"""One cell: a model in a target runs in float, runs in int8, or trains. ``python -m benchmarks.matrix.cell TARGET MODEL
KIND`` prints it as JSON; a process of its own, for a runtime that ends the process ends its cell alone."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

import selvedge as sv
from selvedge.artifact.targets import TARGETS
from selvedge.errors import SelvedgeError

from ..targets_real.layers import stepwise
from .models import gradients, settled, steady
from .rounding import rounded

NEAR, OWN = 1e-5, 3  # of the largest number; or so many times PyTorch's own distance between float32 and float64
GRADIENT = 1e-4  # the same, of a gradient
STEPS, RATE = 100, 1e-3
SLOWER = {"mobilenet_v3_small": 1e-4}  # where PyTorch's own loss is no number any more after 100 steps by that rate
# Steps of int8, end to end, the mean of all answers. A runtime's quick kernels round otherwise, and what is further is
# asked more: each layer fed the same within a step, and all no further than such steps of each layer bring ours.
APART, DRAWN, ROUNDED = 1.0, 4, 1.5
WIDE = sv.Device(ram="4GiB", flash="4GiB")
LEARN = """
import json, sys
if sys.argv[1] != "pt2":
    sys.modules["torch"] = None  # an import of it fails, as where it is not installed
import numpy as np
import selvedge as sv
given = np.load(sys.argv[3])
x, y = given["x"], given["y"] if "y" in given.files else None
session = sv.load(sys.argv[2])
print(json.dumps([session.step(x, y) for _ in range(int(sys.argv[4]))]))
"""
Cell = dict[str, Any]


def runs(target: str, spec: str, folder: Path) -> Cell:
    model, x, _, _ = settled(spec)
    x = x[:1]
    plan = sv.plan_inference(model, x, name="net", device=WIDE)
    found = sv.load(sv.emit(plan, target, folder / "net")).predict(x.numpy())
    with torch.no_grad():
        single = model(x).numpy()
        double = model.double()(x.double() if x.is_floating_point() else x).numpy()
    size = np.abs(double).max()
    error, own = (float(np.abs(a - double).max() / size) for a in (found, single))
    return _within(error, max(NEAR, OWN * own), "of PyTorch's")


def runs_int8(target: str, spec: str, folder: Path) -> Cell:
    model, x, _, _ = settled(spec)
    if not x.is_floating_point():
        return {"lacks": "its input is no float, and int8 models of ours begin with one"}
    torch.manual_seed(2)
    network = sv.network(sv.quantise(model, torch.randn(32, *x.shape[1:]), wanted_agreement=0.0), x[:1], floats=False)
    plan = sv.plan_inference(network, device=WIDE)
    ours, session = sv.compile(plan), sv.load(sv.emit(plan, target, folder / "net"))
    given = [np.random.default_rng(n).integers(-128, 128, tuple(x[:1].shape)).astype(np.int8) for n in range(DRAWN)]
    own = [ours.predict(one).astype(int) for one in given]
    away = [np.abs(session.predict(one).astype(int) - mine) for one, mine in zip(given, own, strict=True)]
    worst, mean = max(int(a.max()) for a in away), float(np.mean([a.mean() for a in away]))
    told = f"{worst} step{'' if worst == 1 else 's'}"
    if mean <= APART:
        return {"ran": told}
    stored = [network.layout("x").store(one) for one in given]
    layers = stepwise(network, stored, target, folder)
    if layers["refused"] or layers["worst"] > 1:
        return {"wrong": f"{told}; a layer alone: {layers['worst']} steps, {len(layers['refused'])} refused"}
    draw = np.random.default_rng(DRAWN)
    exact = [rounded(network, one, [0.0] * layers["layers"], draw).astype(int) for one in stored]
    likely = np.mean([
        np.abs(rounded(network, one, layers["rates"], draw) - mine).mean()
        for _ in range(DRAWN) for one, mine in zip(stored, exact, strict=True)
    ])  # fmt: skip
    cell = {"ran": told, "layers": layers["layers"], "mean": mean, "rounding": float(likely)}
    if mean <= ROUNDED * likely:
        return cell
    return {"wrong": f"{mean:.1f} steps from our own on the mean, and rounding of its layers makes {likely:.1f}"}


def trains(target: str, spec: str, folder: Path) -> Cell:
    """A gradient, read out of momentum that begins at zero, beside PyTorch's in float64; then steps without torch."""
    model, x, y, loss = steady(spec)
    rate = SLOWER.get(spec.partition("?")[0], RATE)
    plan = sv.plan(model, x, loss=loss, device=WIDE, optimizer=sv.SGD(lr=rate, momentum=0.9), name="net")
    there = sv.emit(plan, target, folder / "net")
    single, double = (gradients(model, x, y, dtype) for dtype in (torch.float32, torch.float64))
    session = sv.load(there)
    session.step(x.numpy(), y)
    moved = session.optimizer_state_dict()
    worst, bound = 0.0, GRADIENT
    for name, exact in double.items():
        if f"{name}.momentum" in moved:
            size = np.abs(exact).max() + 1e-30
            error, own = (
                float(np.abs(a.astype(float) - exact).max() / size) for a in (moved[f"{name}.momentum"], single[name])
            )
            if error / max(GRADIENT, OWN * own) >= worst / bound:
                worst, bound = error, max(GRADIENT, OWN * own)
    cell = _within(worst, bound, "of PyTorch's gradients")
    if "wrong" in cell:
        return cell
    data = {"x": x.numpy(), **({} if y is None else {"y": y})}
    np.savez(folder / "data.npz", **data)
    line = [sys.executable, "-c", LEARN, target, str(there), str(folder / "data.npz"), str(STEPS)]
    made = subprocess.run(line, capture_output=True, text=True, check=False)
    if made.returncode:
        return {"wrong": f"without torch: {made.stderr.strip().splitlines()[-1]}"}
    losses = json.loads(made.stdout)
    if not np.mean(losses[-10:]) < np.mean(losses[:10]):
        return {"wrong": f"loss {losses[0]:.3g} to {losses[-1]:.3g} in {STEPS} steps"}
    return {"ran": f"{worst:.0e}", "loss": [losses[0], losses[-1]]}


KINDS: Mapping[str, Callable[[str, str, Path], Cell]] = {"float": runs, "int8": runs_int8, "train": trains}


def cell(target: str, spec: str, kind: str) -> Cell:
    """``ran``: with what error; ``lacks``: what it was refused with, in this run; ``wrong``: what must not be."""
    if kind not in TARGETS[target].able:
        return {"lacks": f"{target} does not {'train' if kind == 'train' else f'run {kind}'}"}
    with tempfile.TemporaryDirectory(prefix="selvedge-matrix-") as folder:
        try:
            return KINDS[kind](target, spec, Path(folder))
        except SelvedgeError as error:
            return {"lacks": str(error).splitlines()[0]}


def _within(error: float, bound: float, what: str) -> Cell:
    return {"ran": f"{error:.0e}"} if error <= bound else {"wrong": f"{error:.1e} {what}, {bound:.0e} allowed"}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    print(json.dumps(cell(*sys.argv[1:])))
