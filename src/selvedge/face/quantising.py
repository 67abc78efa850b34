"""The work of ``selvedge quantise``: a trained model and data -> int8 code beside float, what hurts, and a file."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ..artifact import files
from ..artifact.preprocess import Preprocess
from ..compress import MixedBits, Quantised, Report
from ..compress import quantise as make_int8
from ..data import Part
from ..device import Device
from ..device.profile import THIS_MACHINE
from ..device.sizes import format_bytes
from ..errors import InvalidInput
from ..learn.metrics import Score, scored
from ..make.captured_network import network
from ..make.compared import compare
from ..make.compile import HostSession, emit
from ..make.compile import compile as compile_plan
from ..make.inference import Inference, plan_inference
from ..make.network import save_tflite
from ..make.onnx import save_onnx
from .figures import score as said
from .figures import seconds
from .held import held
from .job import Job, prepare
from .progress import Work
from .unlimited import roomy

KINDS = {"cross_entropy": "CrossEntropy", "mse": "MSE", "bce_with_logits": "BCEWithLogits",
         "reconstruction": "Reconstruction"}  # fmt: skip
COMPARED = 256  # samples of the report
TIMED = 30  # predictions whose median counts


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked for. ``settings``: of :func:`selvedge.quantise`. ``samples``: that set the ranges, at most.
    ``out``: a .tflite or .onnx file, or a folder for the device's C."""

    model: str
    data: str
    device: str
    budget: str | None
    loss: str | None
    shape: str | None
    settings: dict[str, Any]
    bits: Path | None
    samples: int
    out: Path | None
    seed: int
    plot: Path | None


@dataclass(frozen=True, slots=True)
class Row:
    """``test``: on held-out samples, of the native code. Bytes of weights in flash and of RAM; ``seconds``: of one
    prediction, measured on this machine, else planned."""

    name: str
    test: Score
    weights_bytes: int
    arena_bytes: int
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Quantising:
    """``agreement``: the share of test samples whose top answer stays; None without classes. ``here``: times are
    measured."""

    name: str
    device: str
    rows: tuple[Row, Row]
    agreement: float | None
    tested: int
    ranges: int
    here: bool
    report: Report
    notes: tuple[str, ...]
    out: Path | None

    def to_dict(self) -> dict[str, Any]:
        """The figures, for machines."""
        return {
            "model": self.name,
            "device": self.device,
            "calibration_samples": self.ranges,
            "test_samples": self.tested,
            "agreement": self.agreement,
            "rows": [asdict(row) for row in self.rows],
            "seconds_are": "measured here" if self.here else "planned",
            "layers": self.report.to_dict(),
            "notes": list(self.notes),
            "out": None if self.out is None else str(self.out),
        }

    def __str__(self) -> str:
        head = f"{'':<8}{'test':>12}{'weights':>12}{'RAM':>12}{'prediction':>14}"
        lines = [f"{self.name} on {self.device}; {self.ranges:,} training samples set the ranges", "", head]
        for row in self.rows:
            weights, ram = format_bytes(row.weights_bytes), format_bytes(row.arena_bytes)
            test = said(row.test.accuracy, row.test.loss)
            lines.append(f"{row.name:<8}{test:>12}{weights:>12}{ram:>12}{seconds(row.seconds):>14}")
        lines.append(f"times are {'measured on this machine' if self.here else 'planned for the device'}")
        if self.agreement is not None:
            lines.append(f"the same top answer on {self.agreement:.1%} of {self.tested:,} test samples")
        lines += ["", *self.report.verdict(), *(f"note: {note}" for note in self.notes)]
        if self.out is not None:
            lines.append(f"\nwritten to {self.out}")
        return "\n".join(lines)


def quantise(order: Order, debug: bool) -> Quantising:
    """Raises ``SelvedgeError`` before anything is written."""
    with Work() as work, held(debug):
        job = prepare(order.model, order.data, order.shape, order.loss, order.seed, work)
        if not isinstance(job.model, nn.Module):
            raise InvalidInput("model", order.model, "an exported program is not quantised: give file.py:factory")
        model, test = job.model.eval(), _test(job)
        given = _numbers(job, job.data.part("train"), order.samples, order.seed)
        work.part("quantising")
        bits = None if order.bits is None else MixedBits.load(order.bits).bits
        made = make_int8(model, given, bits=bits, **order.settings)
        example, here = job.example[:1], order.device == THIS_MACHINE
        device = Device.load(order.device)
        rooms = {"float": roomy(device), "int8": device}  # the float network need not fit
        rows, outputs = {}, {}
        for name, net in (("float", model), ("int8", made)):
            work.part(f"planning {name}")
            budget = order.budget if name == "int8" else None
            plan = plan_inference(net, example, name=job.name, device=rooms[name], budget=budget)
            native = _Native(compile_plan(plan), job.data.preprocess, work)
            work.part(f"running {name}", len(test))
            result = scored(KINDS[job.loss], native.predicted, test, job.data.preprocess)
            took = float(np.median(native.times)) if here else plan.cost.seconds
            rows[name] = Row(name, result, plan.weights_bytes, plan.arena_bytes, took)
            outputs[name] = np.concatenate(native.told)
        work.part("comparing layer by layer")
        report = compare(model, made, _numbers(job, test, COMPARED, order.seed))
        work.part("writing")
        if order.plot is not None:
            files.write(order.plot, report.page().encode())
        if order.out is not None:
            _write(order.out, plan, made, example)
    same = None
    if result.accuracy is not None and outputs["int8"].shape[1] > 1:
        same = float((outputs["float"].argmax(1) == outputs["int8"].argmax(1)).mean())
    return Quantising(
        job.name, device.name, (rows["float"], rows["int8"]), same, len(test), len(given), here, report,
        (*job.notes(), *map(str, made.facts.warnings)), order.out,
    )  # fmt: skip


def _test(job: Job) -> Part:
    """Held-out samples; the training ones where there are no others."""
    return job.data.part(next(name for name in ("test", "validation", "train") if len(job.data.split[name])))


def _numbers(job: Job, part: Part, most: int, seed: int) -> npt.NDArray[Any]:
    """Samples of ``part`` as the model takes them, drawn by ``seed``."""
    chosen = np.sort(np.random.default_rng(seed).permutation(len(part))[:most])
    x = part.take(chosen)[0]
    return x if job.data.preprocess is None else job.data.preprocess(x)


class _Native:
    """Compiled code, a sample at a time. ``told``: its outputs; ``times``: seconds of the first ones."""

    def __init__(self, session: HostSession, preprocess: Preprocess | None, work: Work) -> None:
        self.session, self.preprocess, self.work = session, preprocess, work
        self.told: list[npt.NDArray[Any]] = []
        self.times: list[float] = []

    def predicted(self, x: npt.NDArray[Any]) -> npt.NDArray[Any]:
        given = x if self.preprocess is None or x.dtype != np.uint8 else self.preprocess(x)
        for i in range(len(given)):
            start = time.perf_counter()
            found = self.session.predict(given[i : i + 1])
            if len(self.times) < TIMED:
                self.times.append(time.perf_counter() - start)
            self.told.append(found[0] if isinstance(found, tuple) else found)
            self.work.at(len(self.told))
        return np.concatenate(self.told[-len(given) :])


def _write(out: Path, plan: Inference, made: Quantised, example: torch.Tensor) -> None:
    if out.suffix == ".tflite":
        save_tflite(network(made, example), out)
    elif out.suffix == ".onnx":
        save_onnx(network(made, example), out)
    else:
        emit(plan, "c", out)
