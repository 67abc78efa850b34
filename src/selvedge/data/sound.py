"""Wave files as log-mel bands or as the raw wave."""

from __future__ import annotations

import math
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..artifact.features import LogMel, Waveform
from ..errors import InvalidInput, one_line
from . import memory
from .dataset import Indices
from .find import find
from .logmel import fitted, log_mel
from .raw import Finished, Raw, Source, moments, normalised
from .spec import Spec

WINDOW, HOP, BANDS = 0.032, 0.016, 40  # seconds, seconds, mel bands
LOW = 20.0  # Hz
Signal = npt.NDArray[np.float32]


def survey(spec: Spec) -> Source:
    """Look at a folder of .wav: one rate for all; the natural shape is log-mel frames of most clips' length."""
    found = find(spec, "sounds")
    if found.labels is None:
        fix = "put the sounds of each class into a folder of its name, or give pattern={label}_{}.wav"
        raise InvalidInput("--data", str(spec), f"nothing says which class a sound is of: {fix}")
    rate, lengths = _rates(found.paths)
    longest = spec.number("seconds", float(np.quantile(lengths, 0.9)) / rate, 0.0, 3600.0)
    samples = max(1, round(longest * rate))
    natural = (1, max(1, 1 + round((longest - WINDOW) / HOP)), spec.whole("bands", BANDS))

    def read(shape: tuple[int, ...]) -> Raw:
        features = described(spec, shape, rate, samples)
        memory.require(spec, len(found.paths) * math.prod(shape) * 4, f"{len(found.paths)} sounds")
        x = np.stack([raw(read_wav(path)[1], features) for path in found.paths])
        # Whole hops only: the last frame ends up to one before the end of a sound that is not cut.
        spare = features.hop - 1 if isinstance(features, LogMel) else 0
        cut = int((np.array(lengths) > features.samples + spare).sum())
        what = f"{features.frames} x {features.bands} log-mel bands" if isinstance(features, LogMel) else "the raw wave"
        note = f"{what} of {features.samples / rate:.3g} s at {rate} Hz" + (
            f"; {cut} longer sounds are cut" if cut else ""
        )
        return Raw(
            len(x), lambda train: _finish(spec, x, features, train), found.labels, found.groups, found.parts, (note,)
        )

    return Source(spec, "sounds", tuple(sorted(set(found.labels))), natural, read)


def described(spec: Spec, shape: tuple[int, ...], rate: int, samples: int) -> LogMel | Waveform:
    """How ``samples`` samples become ``shape``: [1, frames, bands] or [frames, bands] and [bands, frames] (of a 1-D
    CNN) are log-mel; [1, samples] and [samples] are the wave. Raises ``InvalidInput``."""
    plain = len(shape) == 1 or (len(shape) == 2 and shape[0] == 1)
    bands = spec.whole("bands", 0)
    default = "logmel" if not plain or bands else "wave"
    how = spec.choice("features", default, ("logmel", "wave"))
    if how == "wave":
        if not plain:
            raise InvalidInput(
                "model input", list(shape), "the wave is [1, samples] or [samples]; give features=logmel"
            )
        return Waveform(rate, shape[-1], shape)
    if len(shape) == 3 and shape[0] == 1:
        frames, count, time_first = shape[1], shape[2], True
    elif len(shape) == 2 and shape[0] > 1:
        count, frames, time_first = shape[0], shape[1], False
    elif plain and bands and shape[-1] % bands == 0:
        frames, count, time_first = shape[-1] // bands, bands, True
    else:
        fix = "log-mel bands are [1, frames, bands], [bands, frames] or, with bands=N, flat; the wave is [1, samples]"
        raise InvalidInput("model input", list(shape), fix)
    if bands and bands != count:
        raise InvalidInput("--data bands", bands, f"the model takes {count}")
    window = max(1, min(round(WINDOW * rate), samples))
    hop = max(1, round((samples - window) / (frames - 1))) if frames > 1 else 1
    fft = 1 << max(4, (window - 1).bit_length())
    return LogMel(rate, frames, window, hop, fft, count, min(LOW, rate / 8), rate / 2, shape, time_first)


def raw(signal: Signal, features: LogMel | Waveform) -> Signal:
    """One sound as a sample that is not normalised yet."""
    if isinstance(features, LogMel):
        return log_mel(signal, features)
    return fitted(signal, features.samples).reshape(features.shape)


def sample(path: Path, features: LogMel | Waveform) -> Signal:
    """One file as the model takes it. Raises ``InvalidInput`` for another rate, or a file that is no PCM wave."""
    rate, signal = read_wav(path)
    if rate != features.rate:
        raise InvalidInput(
            "sound", str(path), f"it has {rate} Hz, the model learnt {features.rate} Hz: {_resample(features.rate)}"
        )
    return normalised(raw(signal, features), features.mean, features.std)


def read_wav(path: Path) -> tuple[int, Signal]:
    """(samples a second, the mean of the channels in -1..1). PCM of 8, 16, 24 and 32 bits. Raises ``InvalidInput``."""
    try:
        with wave.open(str(path), "rb") as file:
            channels, width, rate, count = file.getparams()[:4]
            data = file.readframes(count)
    except (wave.Error, EOFError, OSError, RuntimeError) as error:
        pcm = "make PCM of it, as ffmpeg -i in.wav -c:a pcm_s16le out.wav"
        fix = pcm if "unknown format" in str(error) else "replace it or remove it"
        raise InvalidInput(
            "sound", str(path), f"it cannot be read ({one_line(str(error)) or 'it ends early'}): {fix}"
        ) from None
    if not count or not rate:
        raise InvalidInput("sound", str(path), "it is empty: remove it")
    if len(data) < count * channels * width:
        raise InvalidInput("sound", str(path), "it ends before its header says: replace it or remove it")
    return rate, _mono(np.frombuffer(data, np.uint8), channels, width)


def _mono(data: npt.NDArray[np.uint8], channels: int, width: int) -> Signal:
    if width == 1:
        values = data.astype(np.float32) - 128.0
    elif width == 3:
        triples = data.reshape(-1, 3).astype(np.int32)
        values = (((triples[:, 2] << 24) | (triples[:, 1] << 16) | (triples[:, 0] << 8)) >> 8).astype(np.float32)
    else:
        values = data.view(f"<i{width}").astype(np.float32)
    scaled = values * np.float32(2.0 ** (1 - 8 * width))
    return np.asarray(scaled.reshape(-1, channels).mean(1), np.float32)


def _rates(paths: tuple[Path, ...]) -> tuple[int, list[int]]:
    """The one rate of all files, and their lengths."""
    lengths, rate = [], 0
    for path in paths:
        own, signal = read_wav(path)
        if rate and own != rate:
            fix = f"it has {own} Hz, {paths[0].name} has {rate} Hz: {_resample(rate)}"
            raise InvalidInput("sound", str(path), fix)
        rate = own
        lengths.append(len(signal))
    return rate, lengths


def _resample(rate: int) -> str:
    return f"resample it, as ffmpeg -i in.wav -ar {rate} out.wav"


def _finish(spec: Spec, x: Signal, features: LogMel | Waveform, train: Indices) -> Finished:
    how = spec.choice("normalise", "standard", ("standard", "none"))
    if how == "none":
        return x, None, features
    mean, std = moments(x[train])
    return normalised(x, mean, std), None, replace(features, mean=mean, std=std)
