"""What each target costs: the page is of the committed cases, a refusal is a case, and one real case is measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.readme import between
from benchmarks.targets import page, timed
from benchmarks.targets.__main__ import KEPT, main, measured
from benchmarks.targets.work import KINDS, MODELS, given
from selvedge.artifact.targets import TARGETS

ROOT = Path(__file__).parents[2]
TURNS = {"low": 9e-5, "median": 1e-4, "high": 1.2e-4, "rounds": 15}
ABOUT = {"date": "2026-11-27", "cpu": "a processor", "load": 2.0, "packages": {"onnx": "1.23.2"}}


def made_up(target: str, **other: Any) -> dict[str, Any]:
    times = {} if target == "c" else {"theirs": TURNS, "times": {"low": 1.4, "median": 1.5, "high": 12.0, "rounds": 15}}
    memory = {"runtime": 2**21, "model": 3 * 2**20, "disk": 10240, **({"arena": 64000} if target == "c" else {})}
    return {"model": "m", "target": target, "kind": "float", "ours": TURNS, "memory": memory, **times, **ABOUT, **other}


def test_a_row_says_time_times_and_memory() -> None:
    lines = page.table([made_up("onnx"), made_up("c")]).splitlines()
    assert "| `m` | c | 0.1 ms (0.09-0.12) | · | · |" in lines
    assert "| `m` | onnx | 0.1 ms, **1.50** (1.40-12) | · | · |" in lines
    assert "| `m` | c | 62 / 3,072 / 10 | · | · |" in lines
    assert "| `m` | onnx | - / 3,072 / 10 | · | · |" in lines
    assert "Geometric mean over all that ran, of the times that ours took: onnx 1.50." in lines
    assert "What a process grows by for the runtime alone, median in MiB: c 2.0, onnx 2.0." in lines
    assert page.table([]) == "nothing was measured"


def test_what_failed_stands_in_its_row_with_its_error_once() -> None:
    refused = {"model": "m", "target": "tvm", "kind": "float", "failed": "softmax at /home/me/net.py:3 | no", **ABOUT}
    told = page.table([made_up("c"), refused, {**refused, "kind": "int8"}])
    assert "| `m` | tvm | failed [1] | failed [1] | · |" in told
    assert "1. failed: softmax at net.py:3 \\| no" in told
    assert "1 of 3 ran;" in told


def test_the_page_is_of_the_committed_cases() -> None:
    cases = page.read(KEPT)
    assert between((ROOT / page.DOCS).read_text(), page.MARK) == page.table(cases)
    assert {(c["target"], c["model"], c["kind"]) for c in cases} <= {
        (target, model, kind) for target in TARGETS for model in MODELS for kind in KINDS
    }
    for case in cases:
        assert "failed" in case or case["threads"] <= 1 + (case["target"] == "onnx")  # which has one that waits


def test_a_real_case_is_measured_beside_ours_and_a_refusal_is_one() -> None:
    found = dict(measured("deep_autoencoder", "train", ["c", "onnx", "litert-micro"]))
    ours, other = found["c"], found["onnx"]
    assert ours["memory"]["arena"] == given("deep_autoencoder", "train").plan.arena_bytes
    assert "times" not in ours
    assert 0 < other["times"]["low"] <= other["times"]["median"] <= other["times"]["high"]
    assert other["memory"]["model"] > 0 < other["memory"]["disk"]
    assert found["litert-micro"]["failed"].startswith("target is litert-micro: it cannot train yet: choose one of c, ")


def test_a_target_that_ends_the_process_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    found = dict(measured("no such model", "float", ["c", "onnx"]))
    assert [f["failed"].partition(":")[0] for f in found.values()] == ["emitting it ended the process"] * 2
    assert "no such model" in found["c"]["failed"]


def test_what_computes_something_else_is_not_timed() -> None:
    one = np.float32([1.0, -100.0])
    timed.alike(one, one * np.float32(1 + 5e-5), "float")
    with pytest.raises(RuntimeError, match=r"it computes something else: 1 from ours, 0\.01 allowed"):
        timed.alike(one, one + np.float32([0, 1]), "float")
    codes = np.int8([127, -128])
    timed.alike(codes, np.int8([126, -127]), "int8")
    with pytest.raises(RuntimeError, match="255 from ours"):
        timed.alike(codes, np.int8([-128, 127]), "int8")
    with pytest.raises(RuntimeError, match="nan from ours"):
        timed.alike(one, one * np.float32(np.nan), "train")


def test_a_wrong_word_is_refused_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--kinds", "double", "--show"]) == 2
    assert capsys.readouterr().err == "benchmarks.targets: --kinds is double: give some of float, int8, train\n"
