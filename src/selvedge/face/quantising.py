"""The work of ``selvedge quantise``: a trained model and data -> int8 code beside float, what hurts, and a file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ..artifact import files
from ..compressing import MixedBits, Quantised, Report
from ..compressing import quantise as make_int8
from ..compressing.litert import FLOAT
from ..device import Device
from ..device.profile import THIS_MACHINE
from ..errors import InvalidInput, NotSupported
from ..learn.metrics import scored
from ..make.captured_network import network
from ..make.compared import compare
from ..make.compile import compile as compile_plan
from ..make.compile import emit
from ..make.inference import Inference, plan_inference
from ..make.network import save_tflite
from ..make.onnx import save_onnx
from ..make.room import roomy
from ..make.weighing.losses import KINDS
from .beside import Native, Row, numbers, table, timed, unseen
from .held import held
from .job import Job, prepare
from .progress import Work

COMPARED = 256  # samples of the report
# How the messages of the Python face name what has an option here.
SPOKEN = (
    (re.compile(r"""(?:in )?bits=\{['"](.+?)['"]: 32\}"""), r"--float \1"),
    (re.compile(r"allow_few=True"), "--allow-few"),
    (re.compile(r"(equalise|adaround)=True"), r"--\1"),
    (re.compile(r"correct_bias=True"), "--correct-bias"),
    (re.compile(r"per_tensor=False"), "without --per-tensor"),
    (re.compile(r"observer='(\w+)'"), r"--observer \1"),
)


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked for. ``settings``: of :func:`selvedge.quantise`. ``floats``: layers that stay so.
    ``samples``: that set the ranges, at most.
    ``out``: a .tflite or .onnx file, or a folder for the device's C. ``form``: of an .onnx file."""

    model: str
    data: str
    device: str
    budget: str | None
    loss: str | None
    shape: str | None
    settings: dict[str, Any]
    bits: Path | None
    floats: tuple[str, ...]
    samples: int
    out: Path | None
    form: str
    seed: int
    plot: Path | None


@dataclass(frozen=True, slots=True)
class Quantising:
    """``agreement``: the share of test samples whose top answer stays; None without classes. ``here``: times are
    measured."""

    name: str
    device: str
    rows: tuple[Row, ...]
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
        lines = [f"{self.name} on {self.device}; {self.ranges:,} training samples set the ranges", ""]
        lines += table(self.rows)
        told = "measured on this machine, with the call from Python" if self.here else "planned for the device"
        lines.append(f"times are {told}")
        if self.agreement is not None:
            lines.append(f"the same top answer on {self.agreement:.1%} of {self.tested:,} test samples")
        lines += ["", *map(spoken, self.report.verdict()), *(f"note: {note}" for note in self.notes)]
        if self.out is not None:
            lines.append(f"\nwritten to {self.out}")
        return "\n".join(lines)


def spoken(text: str) -> str:
    """``text`` with the options of the command line for the arguments of the Python face."""
    for pattern, option in SPOKEN:
        text = pattern.sub(option, text)
    return text


def quantise(order: Order, debug: bool) -> Quantising:
    """Raises ``SelvedgeError`` before anything is written."""
    try:
        return _quantised(order, debug)
    except NotSupported as error:
        raise NotSupported(error.op, error.where, spoken(error.what_to_do)) from error
    except InvalidInput as error:
        raise InvalidInput(error.field, error.value, spoken(error.fix)) from error


def _quantised(order: Order, debug: bool) -> Quantising:
    with Work() as work, held(debug):
        job = prepare(order.model, order.data, order.shape, order.loss, order.seed, work)
        if not isinstance(job.model, nn.Module):
            raise InvalidInput("model", order.model, "an exported program is not quantised: give file.py:factory")
        model, test = job.model.eval(), unseen(job)
        given = numbers(job, job.data.part("train"), order.samples, order.seed)
        work.part("quantising")
        bits = {} if order.bits is None else dict(MixedBits.load(order.bits).bits)
        classes = job.loss == "cross_entropy"
        settings = dict(order.settings)
        if not classes:  # there is no top answer that could stay
            settings["wanted_agreement"] = 0.0
        made = make_int8(model, given, bits=bits | dict.fromkeys(order.floats, FLOAT), **settings)
        example, here = job.example[:1], order.device == THIS_MACHINE
        device = Device.load(order.device)
        rooms = {"float": roomy(device), "int8": device}  # the float network need not fit
        natives: dict[str, Native] = {}
        for name, net in (("float", model), ("int8", made)):
            work.part(f"planning {name}")
            plan = plan_inference(
                net, example, name=job.name, device=rooms[name], budget=order.budget if name == "int8" else None
            )
            natives[name] = Native(plan, compile_plan(plan), job.data.preprocess, work)
        results = []
        for name, native in natives.items():
            work.part(f"running {name}", len(test))
            results.append(scored(KINDS[job.loss], native.predicted, test, job.data.preprocess))
        times = timed([n.session for n in natives.values()], numbers(job, test, 1, 0)) if here else [
            n.plan.cost.seconds for n in natives.values()
        ]  # fmt: skip
        names = ("float", _named(made))
        rows = tuple(
            Row(name, result, native.plan.weights_bytes, native.plan.arena_bytes, took)
            for name, result, native, took in zip(names, results, natives.values(), times, strict=True)
        )
        work.part("comparing layer by layer")
        report = compare(model, made, numbers(job, test, COMPARED, order.seed))
        work.part("writing")
        if order.out is not None:
            _write(order.out, order.form, plan, made, example)
        if order.plot is not None:
            files.write(order.plot, report.page().encode())
    same, tops = None, [np.concatenate(n.told) for n in natives.values()]
    if classes and tops[0].ndim == 2:
        same = float((tops[0].argmax(1) == tops[1].argmax(1)).mean())
    notes = tuple(_notes(job, made, order))
    return Quantising(job.name, device.name, rows, same, len(test), len(given), here, report, notes, order.out)


def _notes(job: Job, made: Quantised, order: Order) -> Iterator[str]:
    """What the figures do not say of themselves."""
    yield from job.notes()
    if "normalise=" not in order.data and (job.data.preprocess is not None or job.data.features is not None):
        yield (
            "samples are standardised by the training part, as selvedge train has them: if the model was trained on "
            "others, give --data PATH:normalise=none, or unit for bytes as 0..1"
        )
    if min(made.facts.bits.values(), default=FLOAT) < 8:
        yield "weights of 4 bits take a byte each in native code and in files"
    yield from map(spoken, map(str, made.facts.warnings))


def _named(made: Quantised) -> str:
    """By the bits of its weights."""
    widths = sorted({b for b in made.facts.bits.values() if b != FLOAT})
    return f"int{widths[0]}" if len(widths) == 1 else "mixed"


def _write(out: Path, form: str, plan: Inference, made: Quantised, example: torch.Tensor) -> None:
    if out.suffix.lower() == ".tflite":
        save_tflite(network(made, example), out)
    elif out.suffix.lower() == ".onnx":
        save_onnx(network(made, example), out, form=form)
    else:
        emit(plan, "c", out)
