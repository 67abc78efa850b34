"""Who predicts, in the order of the columns: a call that does one prediction, and what it gave the first time."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import selvedge as sv
from selvedge.make.inference import inference_bundle
from selvedge.run.build import build
from selvedge.run.library import OK, Library, aligned

from ..peers import Failed, Missing
from .dequantised import dequantised
from .models import codes, path

APART = 8.0  # steps of the output that a peer may be from the reference, on average: each rounds in its own way


@dataclass(frozen=True)
class Contestant:
    """``predict()`` is the compute alone: the input lies where it is read. output: int8, or the real numbers of it."""

    predict: Callable[[], object]
    output: np.ndarray


def _native(network: sv.Network, x: np.ndarray) -> Contestant:
    """The plan's own program, called as C calls it."""
    plan = sv.plan_inference(network)
    made, p = inference_bundle(plan), plan.program
    library = build(made.sources, plan.arrangement.lanes, plan.arrangement.dtype)
    weights, arena = aligned(max(1, len(made.weights))), aligned(plan.arena_bytes, 64)
    weights[: len(made.weights)] = np.frombuffer(made.weights, np.uint8)
    code = Library(library, plan.name, plan.arrangement.programs, arena, weights)
    code.init()

    def view(i: int) -> np.ndarray:
        spec = p.instances[i].spec
        return arena[p.offsets[i] : p.offsets[i] + spec.bytes].view(spec.dtype).reshape(spec.shape)

    def predict() -> None:
        if code.call("predict") != OK:
            raise Failed("the native code refuses its input")

    view(p.inputs["x"])[...] = x
    predict()
    return Contestant(predict, view(p.outputs["output"]).copy())


def _int8(name: str) -> Contestant:
    network = sv.load_tflite(path(name))
    return _native(network, codes(network.inputs["x"].shape))


def _float(name: str) -> Contestant:
    network = sv.load_tflite(path(name))
    (scale,), (zero,) = _scale(network.inputs["x"])
    x = (codes(network.inputs["x"].shape).astype(np.float32) - zero) * scale
    return _native(dequantised(network), x.astype(np.float32))


def _litert(name: str, resolver: str = "BUILTIN") -> Contestant:
    """Its default kernels, which are XNNPACK's; or those of another resolver."""
    try:
        from ai_edge_litert import interpreter as litert
    except ImportError:
        raise Missing("ai-edge-litert is not installed") from None
    made: Any = litert.Interpreter(
        model_path=str(path(name)),
        num_threads=1,
        experimental_op_resolver_type=getattr(litert.OpResolverType, resolver),
    )
    made.allocate_tensors()
    given, taken = made.get_input_details()[0], made.get_output_details()[0]
    made.set_tensor(given["index"], codes(tuple(given["shape"])))
    made.invoke()
    return Contestant(made.invoke, made.get_tensor(taken["index"]))


def _onnxruntime(name: str, int8: str) -> Contestant:
    """int8: "1" keeps inner activations int8; by default ("0") its optimiser makes them uint8 on x64."""
    try:
        import onnxruntime
    except ImportError:
        raise Missing("onnxruntime is not installed") from None
    network = sv.load_tflite(path(name))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.qdqisint8allowed", int8)
    with tempfile.TemporaryDirectory() as folder:
        file = sv.save_onnx(network, Path(folder) / "model.onnx")
        session: Any = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    x = onnxruntime.OrtValue.ortvalue_from_numpy(codes(network.inputs["x"].shape))
    binding.bind_ortvalue_input(session.get_inputs()[0].name, x)
    binding.bind_output(session.get_outputs()[0].name)

    def predict() -> None:
        session.run_with_iobinding(binding)

    predict()
    return Contestant(predict, binding.copy_outputs_to_cpu()[0])


# Column -> the ways of one contestant: the fastest of them stands in the table.
CONTESTANTS: Mapping[str, tuple[Callable[[str], Contestant], ...]] = {
    "int8": (_int8,),
    "float": (_float,),
    "litert": (_litert,),
    "onnxruntime": (lambda name: _onnxruntime(name, "0"), lambda name: _onnxruntime(name, "1")),
}
PEERS = ("litert", "onnxruntime")


def agree(name: str, column: str, made: Contestant) -> None:
    """Raises :class:`Failed` unless ours is LiteRT's reference, bit by bit, and a peer near it."""
    if column == "float":
        return
    expected = _litert(name, "BUILTIN_REF").output
    if column == "int8" and not np.array_equal(made.output, expected):
        raise Failed("not what LiteRT's reference kernels predict")
    apart = float(np.abs(made.output.astype(np.int32) - expected).mean())
    if apart > APART:
        raise Failed(f"wrong output: {apart:.1f} steps off the reference on average")


def _scale(spec: Any) -> tuple[tuple[float, ...], tuple[int, ...]]:
    return spec.quant.scale, spec.quant.zero_point
