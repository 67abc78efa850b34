"""The bearing: its rates, its strikes, its measured noise; and the command on files of one's own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.vibration import __main__ as command
from benchmarks.vibration import study
from benchmarks.vibration.bearing import FAULTS, NEEDS, RATE, RESONANCE, SHAFT, STILL, Bearing, noise, still, strikes
from selvedge.errors import InvalidInput
from tests.data.folders import shared

ROOT = Path(__file__).parents[2]
RESULT = ROOT / "benchmarks" / "results" / "vibration.json"


@pytest.fixture
def real() -> None:
    """The phones' noise; skips the test where it is absent."""
    shared(NEEDS)


def test_rates_are_those_of_the_6205s_data_sheet() -> None:
    """Case Western Reserve's page gives, in turns of the shaft: 3.5848, 5.4152, 4.7135 (twice 2.357), 0.39828."""
    bearing = Bearing()
    assert [bearing.rate(f) for f in FAULTS] == pytest.approx([3.5848, 5.4152, 4.7135], abs=1e-3)
    assert bearing.cage == pytest.approx(0.39828, abs=1e-3)


@pytest.mark.parametrize("fault", FAULTS)
def test_strikes_ring_at_the_resonance_and_beat_at_the_rate_of_the_fault(fault: str) -> None:
    x = strikes(60_000, fault, np.random.default_rng(0))
    power = np.square(np.abs(np.fft.rfft(x.reshape(-1, 200) * np.hanning(200)))).mean(axis=0)
    assert np.fft.rfftfreq(200, 1 / RATE)[2:][power[2:].argmax()] == pytest.approx(RESONANCE, abs=4)
    envelope = np.square(x)
    beat = np.abs(np.fft.rfft(envelope - envelope.mean()))
    frequency = np.fft.rfftfreq(x.size, 1 / RATE)
    at = (frequency > 2.5) & (frequency < 12)
    assert frequency[at][beat[at].argmax()] == pytest.approx(Bearing().rate(fault) * SHAFT, rel=0.03)
    assert 0.7 < np.abs(x).max() <= 1.2


def test_the_load_rises_once_a_turn_for_the_inner_race_and_stands_for_the_outer() -> None:
    def once_a_turn(fault: str) -> float:
        energy = np.square(strikes(60_000, fault, np.random.default_rng(0)))
        spectrum = np.abs(np.fft.rfft(energy - energy.mean()))
        frequency = np.fft.rfftfreq(energy.size, 1 / RATE)
        return float(spectrum[np.abs(frequency - SHAFT) < 0.03].max() / spectrum.max())

    assert once_a_turn("inner") > 0.5
    assert once_a_turn("outer") < 0.2


@pytest.mark.usefixtures("real")
def test_noise_is_measured_and_nothing_else() -> None:
    held = still()
    assert len(held) > 100
    assert all(segment.std() < STILL and abs(segment.mean()) < 1e-9 for segment in held)
    x = noise(5000, np.random.default_rng(0), held[:1])
    inner = held[0][20:60]
    places = [np.abs(np.correlate(x, s * inner, "valid") - inner @ inner).min() for s in (1, -1)]
    assert min(places) < 1e-9 * (inner @ inner) + 1e-12, "the very samples lie in it"
    assert 0.5 * held[0].std() < x.std() < 1.5 * held[0].std()


@pytest.mark.usefixtures("real")
def test_one_seed_says_what_the_committed_figures_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "SIZES", (0.05, 0.2))
    rows = study.study(lambda _: None, seeds=[10])["rows"]
    known = json.loads(RESULT.read_text())["rows"]
    for row in rows:
        same = next(r for r in known if all(r[k] == row[k] for k in ("detector", "fault", "size")))
        if row["size"] == 0.2 and row["detector"] != "RMS energy":
            assert row["auc"]["mean"] > 0.95
            assert row["delay"]["mean"] <= 3
        assert same["auc"]["low"] - 0.2 <= row["auc"]["mean"] <= same["auc"]["high"] + 0.2
    found = {(r["detector"], r["fault"]): r["auc"]["mean"] for r in known if r["size"] == 0.05}
    for fault in FAULTS:
        assert found["spectrum and envelope", fault] > max(found["RMS energy", fault], 0.8)


def test_auc_is_the_probability_of_the_right_order() -> None:
    random = np.random.default_rng(0)
    healthy, faulty = random.integers(0, 5, 40).astype(float), random.integers(1, 6, 30).astype(float)
    plainly = np.mean([[1.0 if f > h else 0.5 if f == h else 0.0 for f in faulty] for h in healthy])
    assert study.auc(healthy, faulty) == pytest.approx(plainly)


def test_the_command_takes_files_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random, scipy = np.random.default_rng(0), pytest.importorskip("scipy.io")
    sound = 0.1 * random.standard_normal(40_960)
    scipy.savemat(tmp_path / "Normal_0.mat", {"X097_DE_time": sound[:, None], "X097RPM": 1797})
    (tmp_path / "OR007.csv").write_text("\n".join(f"{x:.6f}" for x in sound + strikes(40_960, "outer", random)))
    assert command.main([str(tmp_path), "--window", "256", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {r["recording"] for r in rows} == {"OR007.csv"}
    own = next(r for r in rows if r["detector"] == "spectrum and envelope")
    assert own["auc"] > 0.95
    assert own["delay"] <= 3
    assert command.main([str(tmp_path), "--window", "256"]) == 0
    assert "| OR007.csv | spectrum and envelope |" in capsys.readouterr().out
    assert command.main([str(tmp_path), "--window", "3"]) == 2
    assert command.main([str(tmp_path), "--write"]) == 2
    assert "--write is of the model" in capsys.readouterr().err
    (tmp_path / "short.csv").write_text("\n".join(map(str, sound[:1500])))
    with pytest.raises(InvalidInput, match=r"window is 2048: short\.csv has 1500 samples: give as many or fewer"):
        command.main([str(tmp_path), "--window", "2048"])
    (tmp_path / "short.csv").unlink()
    (tmp_path / "OR014.csv").write_text("1\n2\n")
    with pytest.raises(InvalidInput, match=r"OR014\.csv: it has 2 samples"):
        command.main([str(tmp_path)])


def test_too_little_health_is_one_line(tmp_path: Path) -> None:
    for name in ("normal.csv", "bad.csv"):
        (tmp_path / name).write_text("\n".join(map(str, np.random.default_rng(0).standard_normal(2000))))
    with pytest.raises(InvalidInput, match="healthy recordings"):
        command.main([str(tmp_path)])


def test_the_page_shows_the_committed_figures() -> None:
    assert command.table(json.loads(RESULT.read_text())) in (ROOT / "docs" / "anomaly.md").read_text()
