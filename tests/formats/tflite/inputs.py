"""Real inputs of the MLPerf Tiny models, in the ranges that their first scale was made for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from scipy.fft import dct
from sklearn.datasets import load_sample_images

from selvedge.artifact.features import LogMel
from selvedge.data.logmel import log_mel
from selvedge.data.sound import read_wav
from selvedge.formats.tflite import Tensor
from selvedge.ir.integer.convert import quantise


def photographs(tensor: Tensor, count: int) -> list[np.ndarray]:
    """Pieces of scikit-learn's two photographs, scaled to the tensor's size; its zero point -128 is black."""
    size, made = tensor.shape[1], []
    for i in range(count):
        picture = Image.fromarray(load_sample_images().images[i % 2])
        left = 40 * i
        piece = picture.crop((left, 0, left + 427, 427)).resize((size, size))
        made.append((np.asarray(piece, np.int16) - 128).astype(np.int8)[None])
    return made


def spoken(tensor: Tensor, recordings: Path, count: int, kind: str) -> list[np.ndarray]:
    """Features of spoken digits: "cepstra" (49 x 10), "decibels" (5 x 128), "unit" (30 x 40 in 0..1)."""
    frames, bands = {"cepstra": (49, 40), "decibels": (5, 128), "unit": (30, 40)}[kind]
    of = LogMel(8000, frames, 256, 80, 512, bands, 20, 4000, (frames, bands))
    assert tensor.quant is not None
    made = []
    for path in sorted(recordings.glob("*.wav"))[:count]:
        values = log_mel(read_wav(path)[1], of)
        if kind == "cepstra":
            values = dct(values, norm="ortho", axis=1)[:, :10]
        elif kind == "decibels":
            values = values * 10 / np.log(10)
        else:
            values = (values - values.min()) / (values.max() - values.min())
        made.append(quantise(values.astype(np.float32).reshape(tensor.shape), by=tensor.quant))
    return made
