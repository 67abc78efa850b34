"""Sounds: every PCM width, the formula of log-mel, and the same samples for training and predicting."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from selvedge.artifact.features import LogMel, Waveform
from selvedge.data import load, survey
from selvedge.data.inputs import read
from selvedge.data.logmel import log_mel
from selvedge.data.sound import read_wav
from selvedge.errors import InvalidInput

from .folders import tones, write_wav


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tones(tmp_path_factory.mktemp("sounds") / "tones")


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_every_width_is_read(tmp_path: Path, width: int) -> None:
    signal = np.sin(np.arange(500) / 7) * 0.9
    rate, found = read_wav(write_wav(tmp_path / "a.wav", signal, 16000, width))
    assert rate == 16000
    np.testing.assert_allclose(found, signal, atol=2.5 / 2 ** (8 * width - 1) + 1e-6)
    both = np.stack([signal, -signal / 2], 1)
    _, mean = read_wav(write_wav(tmp_path / "b.wav", both, 16000, width, channels=2))
    np.testing.assert_allclose(mean, both.mean(1), atol=2.5 / 2 ** (8 * width - 1) + 1e-6)


def test_log_mel_is_its_formula() -> None:
    """The same sums, written out: a direct transform, triangles band by band."""
    of = LogMel(8000, 5, 64, 40, 64, 6, 20.0, 4000.0, (1, 5, 6))
    signal = np.random.default_rng(0).standard_normal(of.samples).astype(np.float32)
    mel = np.linspace(*(2595 * np.log10(1 + np.array([20.0, 4000.0]) / 700)), 8)
    points = 700 * (10 ** (mel / 2595) - 1)
    expected = np.zeros((5, 6))
    window = [0.5 - 0.5 * np.cos(2 * np.pi * n / 64) for n in range(64)]
    for t in range(5):
        frame = [float(signal[t * 40 + n]) * window[n] for n in range(64)]
        for k in range(33):
            power = abs(sum(v * np.exp(-2j * np.pi * k * n / 64) for n, v in enumerate(frame))) ** 2
            f = k * 8000 / 64
            for b in range(6):
                low, peak, high = points[b : b + 3]
                expected[t, b] += power * max(0.0, min((f - low) / (peak - low), (high - f) / (high - peak)))
    np.testing.assert_allclose(log_mel(signal, of)[0], np.log(expected + 1e-6), rtol=1e-5)


def test_no_band_is_deaf() -> None:
    """Forty bands of 8 kHz sound are narrower than a bin at the bottom: each still hears its bin."""
    of = LogMel(8000, 1, 256, 1, 256, 40, 20.0, 4000.0, (1, 1, 40))
    found = log_mel(np.random.default_rng(0).standard_normal(256).astype(np.float32), of)
    assert (found > np.log(1e-6) + 1).all()


def test_shapes_follow_the_model(folder: Path) -> None:
    assert survey(str(folder)).natural[2] == 40
    image, lines = load(str(folder), (1, 12, 10)), load(str(folder), (10, 12))
    assert isinstance(image.features, LogMel)
    assert isinstance(lines.features, LogMel)
    np.testing.assert_array_equal(image.x[np.array([3])][0, 0], lines.x[np.array([3])][0].T)
    flat = load(f"{folder}:bands=10", (120,))
    np.testing.assert_array_equal(flat.x[np.array([3])][0].reshape(12, 10), image.x[np.array([3])][0, 0])
    wave = load(str(folder), (1, 900))
    assert isinstance(wave.features, Waveform)
    assert wave.x[np.array([0])].shape == (1, 1, 900)


def test_normalised_by_training_sounds(folder: Path) -> None:
    data = load(str(folder), (1, 12, 10))
    train = np.asarray(data.x[data.split["train"]])
    assert abs(train.mean()) < 1e-5
    assert abs(train.std() - 1) < 1e-5


@pytest.mark.parametrize("shape", [(1, 12, 10), (1, 900), (10, 12)])
def test_predicting_reads_what_training_read(folder: Path, shape: tuple[int, ...]) -> None:
    data = load(str(folder), shape)
    for i, path in enumerate(sorted(folder.rglob("*.wav"))):
        np.testing.assert_array_equal(read(path, data.features, shape)[0], np.asarray(data.x[np.array([i])])[0])


def test_speakers_are_kept_apart(folder: Path) -> None:
    data = load(f"{folder}:pattern={{label}}_{{group}}_{{}}.wav", (1, 12, 10))
    assert data.groups is not None
    sides = [set(data.groups[rows].tolist()) for rows in data.split.values()]
    assert sum(map(len, sides)) == 4
    assert all(sides)


def test_bad_files_are_named(tmp_path: Path) -> None:
    tones(tmp_path, 4)
    good = (tmp_path / "low" / "low_a_0.wav").read_bytes()
    bad = tmp_path / "low" / "bad.wav"
    for content, says in (
        (b"", "cannot be read"),
        (b"RIFFnothing", "cannot be read"),
        (good[: len(good) // 2], "it ends before its header says"),
        (good[:44], "it ends before its header says"),
        (good[:20] + b"\x03\x00" + good[22:], "ffmpeg -i in.wav -c:a pcm_s16le"),
    ):
        bad.write_bytes(content)
        with pytest.raises(InvalidInput, match=rf"bad\.wav: .*{says}"):
            load(str(tmp_path))
    write_wav(bad, np.zeros(100), 16000)
    with pytest.raises(InvalidInput, match=r"bad\.wav: it has 16000 Hz, high_a_0\.wav has 8000 Hz: resample"):
        load(str(tmp_path))
    write_wav(bad, np.zeros(0), 8000)
    with pytest.raises(InvalidInput, match=r"bad\.wav: it is empty"):
        load(str(tmp_path))


def test_only_what_is_longer_than_its_frames_is_cut(tmp_path: Path) -> None:
    """The frames of a second end within a hop of it: a sound of a second is whole."""
    for label, pitch in (("high", 0.9), ("low", 0.2)):
        for i in range(4):
            write_wav(tmp_path / "clips" / label / f"{i}.wav", np.sin(np.arange(8000) * pitch) / 2, 8000)
    assert not any("cut" in note for note in load(f"{tmp_path / 'clips'}:seconds=1").notes)
    write_wav(tmp_path / "clips" / "low" / "4.wav", np.sin(np.arange(9000) * 0.2) / 2, 8000)
    assert any("1 longer sounds are cut" in note for note in load(f"{tmp_path / 'clips'}:seconds=1").notes)
