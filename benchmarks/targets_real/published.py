"""The int8 networks that MLPerf Tiny publishes, on real inputs of their kind. The data that they were made for is not
at hand: of spoken digits the network of keywords should say "unknown", as it was taught of them; the others are asked
about spoken digits and pictures of clothes, which have none of their labels, and answers lie closer together. The
answer is taken before the softmax at the end: the top of both is the same."""

from __future__ import annotations

import tarfile
from functools import lru_cache

import numpy as np
from PIL import Image

import selvedge as sv
from benchmarks.auto import sources
from benchmarks.packed import read
from selvedge import ir
from selvedge.artifact.features import LogMel
from selvedge.data.logmel import log_mel
from selvedge.ir.integer.convert import quantise

from .cepstra import cepstra
from .network import Real

ROOT = "mlperf_tiny_models"
FILES = {
    "wake word": ("streaming_wakeword/trained_models/str_ww_ref_model.tflite", "fsdd"),
    "keywords": ("keyword_spotting/trained_models/kws_ref_model.tflite", "fsdd"),
    "visual wake words": ("visual_wake_words/trained_models/vww_96_int8.tflite", "fashion_mnist_sprite900"),
    "pictures": ("image_classification/trained_models/pretrainedResnet_quant.tflite", "fashion_mnist_sprite900"),
}
SOUNDS = 1000
UNKNOWN = {"keywords": 11}  # the label of a spoken word that is no keyword, as each digit is
RATE, FRAME, HOP, POINTS = 8000, 256, 80, 512


@lru_cache(maxsize=1)
def published(task: str, samples: int | None = None) -> Real:
    """The network of a file, of one sample a call; samples: at most so many, else all that there are."""
    file, data = FILES[task]
    network = sv.load_tflite(sources.FOLDER / ROOT / file)
    (spec,) = network.inputs.values()
    (value,) = network.graph.outputs.values()
    whole = network
    if value.node.op == "int8_softmax":
        network = sv.Network(ir.Graph(network.graph.inputs, {}, {"output": value.node.inputs[0]}), network.name)
    if data == "fsdd":
        values = _sounds(task, samples or SOUNDS)
        assert spec.quant is not None
        codes = [quantise(v.astype(np.float32).reshape(spec.shape), by=spec.quant) for v in values]
        labels = np.full(len(codes), UNKNOWN[task]) if task in UNKNOWN else None
        return Real(network, whole, codes, labels)
    return Real(network, whole, _pictures(spec.shape, samples))


def _sounds(task: str, count: int) -> list[np.ndarray]:
    """Of spoken digits, evenly of all: cepstra [49, 10], or log-mel in 0..1 [30, 40]."""
    of = LogMel(RATE, 30, FRAME, HOP, POINTS, 40, 20, 4000, (30, 40))
    with tarfile.open(sources.FOLDER / "fsdd" / "fsdd_recordings.tar.xz") as files:
        raw = {f.name: read(files, f)[44:] for f in files if f.name.endswith(".wav")}
    names = sorted(raw)
    made = []
    for name in names[:: max(1, len(names) // count)][:count]:
        sound = np.frombuffer(raw[name][: len(raw[name]) // 2 * 2], "<i2").astype(np.float32) / 32768
        if task == "keywords":
            made.append(cepstra(sound, RATE))
            continue
        values = log_mel(sound, of)
        made.append((values - values.min()) / (values.max() - values.min()))
    return made


def _pictures(shape: tuple[int, ...], count: int | None) -> list[np.ndarray]:
    """Clothes, grey in all three channels, at the network's size; the zero point -128 is black."""
    clothes = (sources.fashion()[0][:, 0] * 255).astype(np.uint8)
    clothes = clothes[:: max(1, len(clothes) // (count or len(clothes)))][: count or len(clothes)]
    made = []
    for grey in clothes:
        sized = np.asarray(Image.fromarray(grey).resize((shape[2], shape[1])), np.int16)
        made.append(np.repeat((sized - 128).astype(np.int8)[None, :, :, None], shape[3], 3))
    return made
