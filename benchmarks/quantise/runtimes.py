"""What a quantised network says and weighs outside PyTorch: native int8 code, ONNX Runtime, and the files of both."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch import nn

import selvedge as sv

BATCH = 50  # samples of one call of the native code


def runtimes(net: nn.Module, made: sv.Quantised, x: np.ndarray) -> dict[str, float]:
    """Shares of the top answers to ``x`` on which native int8 code is of one mind with ONNX Runtime ("onnxruntime") and
    with PyTorch's simulation ("simulation"); and bytes of the int8 files: of the ONNX one over the float one's
    ("onnx"), of the .tflite one over those of the float parameters alone ("tflite")."""
    x = x[: len(x) // BATCH * BATCH]
    example = torch.from_numpy(x[:BATCH])
    session = sv.compile(sv.plan_inference(made, example))
    native = np.concatenate([session.predict(rows) for rows in np.split(x, len(x) // BATCH)]).argmax(1)
    with torch.no_grad():
        simulated = torch.cat([made(torch.from_numpy(rows)) for rows in np.split(x, len(x) // BATCH)]).argmax(1).numpy()
    with tempfile.TemporaryDirectory() as folder:
        one = sv.network(made, example[:1])
        sv.save_onnx(sv.network(net, example[:1]), Path(folder) / "float.onnx")
        sv.save_onnx(one, Path(folder) / "int8.onnx")
        sv.save_tflite(one, Path(folder) / "int8.tflite")
        sv.save_onnx(sv.network(made, example), Path(folder) / "batch.onnx")
        told = _onnxruntime(Path(folder) / "batch.onnx", x)
        size = {path.name: path.stat().st_size for path in Path(folder).iterdir()}
    files = {"tflite": size["int8.tflite"] / made.facts.float_bytes, "onnx": size["int8.onnx"] / size["float.onnx"]}
    return {
        "onnxruntime": float((told == native).mean()),
        "simulation": float((simulated == native).mean()),
        **files,
    }


def _onnxruntime(path: Path, x: np.ndarray) -> np.ndarray:
    """Top answers, one thread. Its optimiser would make int8 activations uint8 on x64, whose kernels saturate sums of
    two products in int16 on cores without VNNI: ``qdqisint8allowed`` keeps them int8."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.qdqisint8allowed", "1")
    session: Any = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    return np.concatenate(
        [session.run(None, {given.name: laid(rows, given.shape)})[0] for rows in np.split(x, len(x) // BATCH)]
    ).argmax(1)


def laid(x: np.ndarray, shape: list[int]) -> np.ndarray:
    """Images as the file wants them: with channels last."""
    return x if list(x.shape) == shape else np.ascontiguousarray(np.moveaxis(x, 1, -1)).reshape(shape)
