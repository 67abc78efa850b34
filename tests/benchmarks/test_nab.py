"""NAB: the published totals from their row scores, and the C detector equal to the Python one, bit by bit."""

from __future__ import annotations

import ctypes
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.nab import __main__ as command
from benchmarks.nab import native, page, study
from benchmarks.nab.corpus import PUBLISHED, Series, corpus, published
from selvedge.learn.anomaly.nab import curve, judge
from selvedge.learn.anomaly.novelty import NoveltyDetector
from tests.data.folders import shared

ROOT = Path(__file__).parents[2]
RESULT = ROOT / "benchmarks" / "results" / "nab.json"


@pytest.fixture
def real() -> None:
    """NAB's series; skips the test where they are absent."""
    shared("nab")


@pytest.mark.usefixtures("real")
@pytest.mark.parametrize("detector", PUBLISHED)
def test_our_scorer_gives_the_published_total(detector: str) -> None:
    found = curve([s.judged for s in corpus()], published(detector))
    assert found.windows == 116
    assert sum(s.values.size for s in corpus()) == 365_558
    assert round(found.best[0], 2) == PUBLISHED[detector][1]


@pytest.mark.usefixtures("real")
def test_novelty_reaches_what_the_committed_table_says() -> None:
    """The whole corpus by the C code, which the next tests hold to Python's bits."""
    own = json.loads(RESULT.read_text())["rows"][-1]
    scores = [native.scores(s.values, s.times) for s in corpus()]
    score, threshold = curve([s.judged for s in corpus()], scores).best
    assert (score, threshold) == (pytest.approx(own["whole"], abs=1e-6), pytest.approx(own["threshold"], abs=1e-6))
    assert score >= 70
    assert own["held out"]["low"] >= 60
    assert round(NoveltyDetector().threshold, 3) == round(threshold, 3)


def python(values: np.ndarray, times: np.ndarray, detector: NoveltyDetector) -> np.ndarray:
    scores = [detector.update(v, t) for v, t in zip(values.tolist(), times.tolist(), strict=True)]
    return np.array(scores, np.float32)


@pytest.mark.usefixtures("real")
@pytest.mark.parametrize("name", ["realTweets/Twitter_volume_AAPL", "realAdExchange/exchange-4_cpm_results"])
def test_c_gives_pythons_bits_on_real_series(name: str) -> None:
    series = next(s for s in corpus() if s.name == f"{name}.csv")
    values, times = series.values[:4000].astype(np.float32), series.times[:4000]
    expected = python(values, times, NoveltyDetector())
    assert (native.scores(values, times) == expected).all()
    assert (expected > 0.5).any()


numbers = st.one_of(
    st.floats(width=32),
    st.sampled_from([0.0, -0.0, 1e-45, 1e-38, 3e38, -2e18, float("nan")]),
    st.integers(-3, 3).map(float),
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(numbers, st.integers(1, 8)), min_size=1, max_size=40),
    st.integers(0, 20),
    st.integers(0, 30),
    st.lists(st.floats(allow_infinity=True), min_size=1, max_size=7),
)
def test_c_gives_pythons_bits_on_any(runs: list[tuple[float, int]], warm: int, hold: int, steps: list[float]) -> None:
    """Every size of number, missing ones, merges (16 values fit), clocks that stand still, jump and break."""
    values = np.array([value + 0.001 * i for value, times in runs for i in range(times)], np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        times = np.cumsum(np.resize(steps, values.size))
    detector = NoveltyDetector(152, warm=warm, hold=hold)
    expected = python(values, times, detector)
    assert detector.capacity == 16
    found = native.scores(values, times, capacity=16, warm=warm, hold=hold)
    assert (found == expected).all(), (values, times, found, expected)


def test_the_struct_is_the_buffer_of_the_class() -> None:
    for capacity in (16, 100, 672):
        detector = NoveltyDetector(56 + 6 * capacity)
        assert native.library(capacity).state_bytes() == detector.bytes == 56 + 6 * capacity
    assert NoveltyDetector().capacity == 672


def test_c_goes_on_where_python_stopped() -> None:
    values = np.random.default_rng(0).lognormal(0, 2, 1500).astype(np.float32)
    whole, half = NoveltyDetector(), NoveltyDetector()
    expected = [whole.update(v, i * 60.0) for i, v in enumerate(values.tolist())]
    for i, v in enumerate(values[:800].tolist()):
        half.update(v, i * 60.0)
    state = ctypes.create_string_buffer(b"".join(part.tobytes() for part in half.state_dict().values()), half.bytes)
    update = native.library(672).selvedge_novelty_update
    update.restype = ctypes.c_float
    update.argtypes = [ctypes.c_void_p, ctypes.c_float, ctypes.c_double, ctypes.c_uint32, ctypes.c_uint32]
    got = [update(state, float(v), i * 60.0, 10, 100) for i, v in enumerate(values[800:], 800)]
    assert got == expected[800:]
    assert max(got) > 0
    assert state.raw == b"".join(part.tobytes() for part in whole.state_dict().values())


def small() -> list[Series]:
    made = []
    for i in range(12):
        values = np.random.default_rng(i).normal(0, 1, 400)
        values[300 + i] = 30
        windows = ((295, 340),) if i % 4 else ()
        made.append(Series(f"{'ab'[i % 2]}/{i}.csv", np.arange(400.0), values, windows, judge(400, windows)))
    return made


def test_a_fold_is_judged_by_what_the_others_chose() -> None:
    """One setting is perfect on all but the file held out, and the other only there: it must not be chosen for it."""
    series = [s for s in small() if s.windows]
    good = [np.float64(np.arange(400) == 295) for _ in series]
    bad = [np.zeros(400) for _ in series]
    first, second = [bad[0], *good[1:]], [good[0], *bad[1:]]
    score, parts = study._chosen_elsewhere(series, [first, second], [{"s": 1}, {"s": 2}], [np.array([0])])
    assert parts[0]["s"] == 1
    assert parts[0]["points"] == -1
    assert score < 100
    assert study.judged(series, [first, second], [{"s": 1}, {"s": 2}])["whole, best of grid"]["s"] == 1


def test_the_study_ends_in_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    series = tuple(small())
    monkeypatch.setattr(study, "corpus", lambda: series)
    monkeypatch.setattr(study, "PUBLISHED", {"numenta": ("Numenta HTM", 0.0)})
    monkeypatch.setattr(study, "published", lambda _: [np.zeros(400) for _ in series])
    monkeypatch.setattr(study, "GRID", [study.DEFAULT, {"warm": 2, "hold": 25}])
    told: list[str] = []
    result = json.loads(json.dumps(study.study(told.append)))
    assert told[0] == "Numenta HTM"
    own = result["rows"][-1]
    assert own["state bytes"] <= 4096
    assert own["whole"] > 80, "a spike of thirty standard deviations in each window"
    lines = page.table(result).splitlines()
    assert sum(line.startswith("| novelty |") for line in lines) == 1
    assert "no alarm |  | 0.00 | 0.00 (0.00 to 0.00) | 0.00" in page.table(result)


def test_the_page_shows_the_committed_figures() -> None:
    assert page.table(json.loads(RESULT.read_text())) in (ROOT / "docs" / "anomaly.md").read_text()


@pytest.mark.usefixtures("real")
def test_a_picture_shows_windows_and_alarms() -> None:
    svg = page.picture(command.DRAWN[0], 0.688)
    assert svg.count("labelled: rows") == 4
    assert svg.count("alarm at row") >= 3


def test_absent_data_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("benchmarks.nab.corpus.FOLDER", tmp_path)
    assert command.main([]) == 2
    assert capsys.readouterr().err.endswith("nab_data_labels_results.tar.xz is absent: set SELVEDGE_DATA\n")
