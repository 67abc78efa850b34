"""The four int8 models that MLPerf Tiny publishes, and inputs that fit them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from selvedge.errors import InvalidInput

MODELS = {
    "anomaly detection": "anomaly_detection/trained_models/ad01_int8.tflite",
    "image classification": "image_classification/trained_models/pretrainedResnet_quant.tflite",
    "keyword spotting": "keyword_spotting/trained_models/kws_ref_model.tflite",
    "visual wake words": "visual_wake_words/trained_models/vww_96_int8.tflite",
}
ROOT = Path(__file__).parents[2]


def path(name: str) -> Path:
    """Of the model's file. Raises ``InvalidInput`` for an unknown name and where the file is not there."""
    if name not in MODELS:
        raise InvalidInput("model", name, f"choose of {', '.join(MODELS)}")
    folder = Path(os.environ.get("SELVEDGE_DATA") or ROOT.parent / "shared" / "data")
    file = folder / "mlperf_tiny_models" / MODELS[name]
    if not file.is_file():
        raise InvalidInput(name, "without its file", f"lay {file.name} at {file.parent}, or set SELVEDGE_DATA")
    return file


def codes(shape: tuple[int, ...]) -> np.ndarray:
    """An int8 input, the same each time: what a layer costs does not depend on it."""
    return np.random.default_rng(0).integers(-128, 128, shape).astype(np.int8)
