"""The benchmark of what is never worse: a few of its streams again, what its table says of made-up cases, that the
page shows the committed ones, and that the learner's process opens nothing of the evaluator's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.never_worse import camera, page
from benchmarks.never_worse.__main__ import KEPT, SEEDS
from benchmarks.never_worse.digits import SHEETS, digits
from benchmarks.never_worse.evaluator import HELD
from benchmarks.never_worse.experiment import case
from benchmarks.never_worse.starting import network, trained
from benchmarks.never_worse.streams import FAMILIES, streams
from benchmarks.readme import between
from tests.data.folders import shared

ROOT = Path(__file__).parents[2]


def made_up(seed: int, lost: dict[str, float], gained: float = 0.2) -> dict[str, Any]:
    """A case of one harmful and one benign stream. lost: of a way, else nothing."""
    clean = {way: 0.96 - lost.get(way, 0.0) for way in page.WAYS}
    told = {"commits": 1, "steps": 1, "refused": 0, "diary": {}}
    changed = {"frozen": 0.5, "learner": 0.5 + gained, "naive": 0.4, "tent": 0.6}
    rows = [{"stream": "bad", "samples": 9, "told": told, "clean": clean}]
    rows.append({"stream": "fog", "samples": 9, "told": told, "clean": clean, "changed": changed})
    before = {"kept": 0.96, "batch": 0.96}
    sizes = {"ram": {"arena": 5000}, "flash": {"anchor": 9}}
    return {"task": "benign", "seed": seed, "fold": 0, "before": before, "rows": rows, "bytes": sizes, "seconds": 1.0}


def test_the_table_counts_harmful_streams_by_the_points_they_took() -> None:
    lost = [0.0, 0.01, 0.0104, 0.03, 0.031, -0.02]
    cases = [made_up(seed, {"learner": x, "naive": 0.5}) for seed, x in enumerate(lost)]
    found = page.summary(cases, "learner")
    assert (found["streams"], found["one"], found["three"], found["tens"]) == (6, 3, 5, 0)
    assert found["worst"] == pytest.approx(0.031)
    assert page.summary(cases, "naive")["tens"] == 6
    text = page.table(cases)
    assert "| Selvedge's learner | 6 | 3 | 5 | 0 | 3.10 |" in text
    assert "| fog | 50.0 | 70.0 | 40.0 | 60.0 | +20.0, +20.0 |" in text
    assert "arena 5,000 B" in text


def test_the_committed_cases_keep_the_promise_and_the_page_shows_them() -> None:
    cases = page.read(KEPT)
    assert {(c["task"], c["seed"]) for c in cases} == {(f, s) for f in FAMILIES for s in range(SEEDS)}
    found, naive = page.summary(cases, "learner"), page.summary(cases, "naive")
    assert found["streams"] >= 200
    assert found["streams"] - found["one"] <= 2
    assert found["three"] == found["streams"]
    assert naive["tens"] > found["streams"] / 4
    gains = [r["changed"]["learner"] - r["changed"]["frozen"] for c in cases for r in c["rows"] if "changed" in r]
    assert np.mean(gains) > 0.1
    said = between((ROOT / page.DOCS).read_text(), page.NAME)
    assert said == page.table(cases), "run `python -m benchmarks.never_worse --show --write`"


@pytest.mark.parametrize("family", ["swaps", "benign"])
def test_a_stream_again(family: str) -> None:
    """Of a seed that no committed case has."""
    shared("mnist_png")
    found = case(family, 50, 250)
    assert len(found["rows"]) == len(list(streams(family, 50, 10)))
    for _, stream, lost in page.lost([found], "learner", None):
        assert lost <= 0.015, stream
    if family == "swaps":
        assert page.summary([found], "naive")["tens"] >= 1
    else:
        gained = [row["changed"]["learner"] - row["changed"]["frozen"] for row in found["rows"]]
        assert np.mean(gained) > 0.03
        assert min(gained) > -0.03


OPENED = """
import sys
opened = set()
sys.addaudithook(lambda event, given: opened.add(str(given[0])) if event == "open" else None)
from benchmarks.never_worse.experiment import case
case("one", 51, 8)
sheets = [name for name in opened if "mnist_batch" in name]
assert len(sheets) == 20, sheets
assert not any("mnist_batch_20" in name for name in sheets), sheets
"""


def test_the_learners_process_never_opens_the_evaluators_sheet() -> None:
    shared("mnist_png")
    assert HELD not in SHEETS
    done = subprocess.run([sys.executable, "-c", OPENED], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_no_sample_of_a_stream_was_trained_on_or_is_in_the_anchor() -> None:
    shared("mnist_png")
    parts = digits(50)
    seen = [{picture.tobytes() for picture in x} for x, _ in (parts.train, parts.anchor, parts.pool)]
    assert sum(map(len, seen)) == len(seen[0] | seen[1] | seen[2])
    assert sum(len(y) for _, y in (parts.train, parts.anchor, parts.pool)) == 60000


@pytest.mark.parametrize("family", FAMILIES)
def test_streams_are_drawn_by_seed(family: str) -> None:
    shared("mnist_png")
    one, again = (list(streams(family, 50, 40)) for _ in range(2))
    other = one[:0] if family == "hostile" else list(streams(family, 52, 40))  # which would train another model
    for first, second in zip(one, again, strict=True):
        assert first.x.dtype == np.float32
        assert first.x.shape == (40, 1, 28, 28)
        assert first.x.tobytes() == second.x.tobytes()
        assert np.array_equal(first.y, second.y)
        assert first.y.min() >= 0
        assert first.y.max() <= 9
    if other:
        assert any(first.x.tobytes() != third.x.tobytes() for first, third in zip(one, other, strict=True))


def test_noise_is_as_much_as_it_says_and_never_the_right_label() -> None:
    shared("mnist_png")
    for stream in streams("noise", 50, 3000):
        # Drawn again without noise, the labels are those of the pictures.
        right = {picture.tobytes(): label for picture, label in zip(*digits(50).pool, strict=True)}
        true = np.array([right[np.uint8(np.rint(picture * 255)).tobytes()] for picture in stream.x])
        wanted = int(stream.name.split()[0]) / 100
        assert (true != stream.y).mean() == pytest.approx(wanted, abs=0.04)


def test_a_camera_keeps_shape_and_range_and_the_model_sees_worse() -> None:
    shared("mnist_png")
    x = np.float32(digits(50).pool[0][:500] / 255)
    net = network()
    net.load_state_dict(trained(50))
    net.eval()

    def right(pictures: np.ndarray) -> float:
        with torch.no_grad():
            return float((net(torch.from_numpy(pictures)).argmax(1).numpy() == digits(50).pool[1][:500]).mean())

    for name, change in camera.CHANGES.items():
        made = np.ascontiguousarray(change(x))
        assert made.shape == x.shape, name
        assert made.dtype == np.float32, name
        assert made.min() > -1e-6, name
        assert made.max() < 1 + 1e-6, name
        assert right(made) < right(x) - 0.03, name
