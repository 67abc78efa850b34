"""An artifact of ONNX models, operator by operator: what its runtime computes beside the ONNX project's reference.

Each operator is fed what the runtime itself computed for it, so that a difference is where it arises and does not grow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..artifact.manifest import Manifest
from ..artifact.targets import require
from ..errors import InvalidInput, NotSupported, one_line
from ..run.artifact import load

CLOSE = 1e-4  # of a tensor's largest number; a step, of integers


@dataclass(frozen=True, slots=True)
class Difference:
    """At operator ``index`` of a program: ``op``, and how far apart its result is, of its largest number (of integers,
    in steps)."""

    index: int
    op: str
    apart: float


@dataclass(frozen=True, slots=True)
class Verified:
    """One program. ``operators``: how many were compared. ``largest``: the largest difference. ``first``: the first of
    more than rounding; None where there is none."""

    program: str
    operators: int
    largest: Difference
    first: Difference | None

    def to_dict(self) -> dict[str, Any]:
        """For machines."""

        def told(d: Difference | None) -> dict[str, Any] | None:
            return None if d is None else {"index": d.index, "op": d.op, "apart": d.apart}

        first, largest = told(self.first), told(self.largest)
        return {"program": self.program, "operators": self.operators, "largest": largest, "first": first}

    def __str__(self) -> str:
        d = self.first or self.largest
        where = f"operator {d.index} {d.op}: {d.apart:.1e}"
        if self.first is not None:
            return f"{self.program}: differs first at {where}"
        return f"{self.program}: {self.operators} operators agree; the largest difference is of {where}"


def verify(folder: Path, seed: int = 0) -> tuple[Verified, ...]:
    """Every program of the artifact in ``folder``, for random inputs. Raises :class:`InvalidInput`, and
    :class:`NotSupported` for another target than "onnx"."""
    session = load(folder)
    manifest = session.manifest
    if manifest.target != "onnx":
        what = "what it emits for c is checked when it is planned" if manifest.target == "c" else "verify an onnx one"
        raise NotSupported(f"verifying target {manifest.target}", str(folder), what)
    require("onnx", to_run=False)
    state = {name: session._fetched(name) for name in manifest.state}
    rng = np.random.default_rng(seed)
    return tuple(
        _verified(name, (folder / entry.file).read_bytes(), {**state, **_drawn(manifest, name, rng)})
        for name, entry in manifest.programs.items()
    )


def _drawn(manifest: Manifest, program: str, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Inputs of a program: real numbers, classes, and a small learning rate."""
    made: dict[str, np.ndarray] = {}
    for name, port in manifest.programs[program].inputs.items():
        dtype = np.dtype(port.dtype)
        if name == "lr":
            made[name] = np.array(0.01, dtype)
        elif dtype.kind == "f":
            made[name] = rng.standard_normal(port.shape).astype(dtype)
            if name == "y" and manifest.loss == "BCEWithLogits":
                made[name] = (made[name] > 0).astype(dtype)
        elif dtype == np.int8:
            made[name] = rng.integers(-128, 128, port.shape).astype(dtype)
        else:
            made[name] = rng.integers(0, max(1, manifest.classes if name == "y" else 2), port.shape).astype(dtype)
    return made


def _verified(program: str, data: bytes, arrays: Mapping[str, np.ndarray]) -> Verified:
    import onnx
    import onnxruntime
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    model = onnx.ModelProto.FromString(data)
    nodes, outputs = list(model.graph.node), {port.name for port in model.graph.output}
    for name in (name for node in nodes for name in node.output if name not in outputs):
        model.graph.output.append(helper.make_empty_tensor_value_info(name))
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.qdqisint8allowed", "1")
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
        names = [port.name for port in (*session.get_inputs(), *session.get_overridable_initializers())]
        made = session.run(None, {name: arrays[name] for name in names if name in arrays})
    except Exception as error:  # of a broken model it raises kinds of its own
        raise InvalidInput("artifact", program, f"ONNX Runtime refuses it ({one_line(str(error))[:160]})") from None
    held = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    held |= {name: array for name, array in arrays.items() if name in names}
    held |= {port.name: array for port, array in zip(session.get_outputs(), made, strict=True)}
    largest, first = Difference(0, nodes[0].op_type if nodes else "", 0.0), None
    for index, node in enumerate(nodes):
        given = {name: held[name] for name in node.input if name}
        with np.errstate(all="ignore"):
            expected = ReferenceEvaluator(node, opsets={"": _opset(model)}).run(None, given)
        for name, want in zip((n for n in node.output if n), expected, strict=False):
            found = Difference(index, node.op_type, _apart(held[name], np.asarray(want)))
            largest = max(largest, found, key=lambda d: d.apart)
            allowed = CLOSE if held[name].dtype.kind == "f" else 1
            if first is None and not found.apart <= allowed:
                first = found
    return Verified(program, len(nodes), largest, first)


def _opset(model: Any) -> int:
    return next(int(entry.version) for entry in model.opset_import if entry.domain == "")


def _apart(got: np.ndarray, want: np.ndarray) -> float:
    if got.shape != want.shape:
        return float("inf")
    if got.dtype.kind != "f":
        return float(np.abs(got.astype(np.int64) - want.astype(np.int64)).max(initial=0))
    both = np.isfinite(got) & np.isfinite(want)
    if not np.array_equal(got[~both], want[~both], equal_nan=True):
        return float("inf")
    size, apart = np.abs(want[both]).max(initial=0.0), np.abs(got[both] - want[both]).max(initial=0.0)
    return float(apart / size) if size else (float("inf") if apart else 0.0)
