"""The road of a network that only predicts: read, planned, compiled, measured, emitted, loaded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import selvedge as sv
from selvedge.formats import tflite
from selvedge.ir.integer.convert import dequantise, quantise
from tests.formats.tflite.litert import T, written
from tests.formats.tflite.test_compute import drawn
from tests.formats.tflite.test_read import published


@pytest.fixture(scope="module")
def path() -> Path:
    return published("keyword_spotting", "kws_ref_model")


@pytest.fixture(scope="module")
def plan(path: Path) -> sv.Inference:
    return sv.plan_inference(sv.load_tflite(path), device=sv.Device(ram="64KiB", flash="256KiB", vector_bytes=32))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def expected(path: Path, x: np.ndarray) -> np.ndarray:
    model = tflite.read(path)
    return tflite.compute(model, [x])[model.outputs[0]]


def test_a_session_predicts_what_the_file_means(plan: sv.Inference, path: Path, cache: Path) -> None:
    session = sv.compile(plan, cache=cache)
    for x in drawn((1, 49, 10, 1), "int8", 2):
        got = session.predict(x)
        assert got.dtype == np.int8
        np.testing.assert_array_equal(got, expected(path, x))
    with pytest.raises(sv.InvalidInput, match=r"int8 holds -128\.\.127"):
        session.predict(np.full((1, 49, 10, 1), 128))
    with pytest.raises(sv.InvalidInput, match="of dtype float32"):
        session.predict(np.zeros((1, 49, 10, 1), np.float32))
    with pytest.raises(sv.InvalidInput, match="this plan has predict"):
        session.step(np.zeros((1, 49, 10, 1), np.int8))
    assert session.state_dict() == {}


def test_what_is_planned_is_what_is_used(plan: sv.Inference, cache: Path) -> None:
    used = sv.measured(plan, cache=cache)
    assert used.faults == ()
    assert used.arena == plan.arena_bytes
    assert used.transient == {"predict": plan.program.transient_bytes}


def test_an_artifact_predicts_the_same(plan: sv.Inference, path: Path, cache: Path, tmp_path: Path) -> None:
    session = sv.load(sv.emit(plan, "c", tmp_path / "artifact"), cache=cache)
    (x,) = drawn((1, 49, 10, 1), "int8", 1)[:1]
    np.testing.assert_array_equal(session.predict(x), expected(path, x))
    assert session.manifest.batch == 1
    with pytest.raises(sv.InvalidInput, match="only predicts"):
        sv.emit(plan, "c", tmp_path / "other", learnt={})


def test_real_numbers_in_and_out(path: Path, cache: Path) -> None:
    network = sv.load_tflite(path, floats=True)
    session = sv.compile(sv.plan_inference(network, device="stm32f446"), cache=cache)
    model = tflite.read(path)
    x_quant, y_quant = (model.tensors[i].quant for i in (model.inputs[0], model.outputs[0]))
    assert x_quant is not None
    assert y_quant is not None
    x = np.random.default_rng(0).normal(0, 30, (1, 49, 10, 1)).astype(np.float32)
    wanted = dequantise(expected(path, quantise(x, by=x_quant)), by=y_quant)
    np.testing.assert_array_equal(session.predict(x), wanted)


def test_int8_takes_a_quarter_of_the_bytes_and_is_priced_apart(plan: sv.Inference, path: Path) -> None:
    sizes = [published("keyword_spotting", f"kws_ref_model{s}").stat().st_size for s in ("", "_float32")]
    assert plan.weights_bytes < sizes[0]
    device = sv.Device.load("stm32f446")
    cost = sv.plan_inference(sv.load_tflite(path), device=device).cost
    assert cost.seconds is not None
    floats = cost.macs / device.throughput["float32"]
    assert cost.macs / device.throughput["int8"] <= cost.seconds < floats
    text = str(plan)
    assert f"{cost.macs:,} MACs" in text
    assert "does not learn" in text


def test_refusals_are_one_line(path: Path, plan: sv.Inference) -> None:
    with pytest.raises(sv.DoesNotFit, match="RAM does not fit"):
        sv.plan_inference(sv.load_tflite(path), device="stm32f446", budget="ram=8KiB")
    with pytest.raises(sv.InvalidInput, match="a prediction needs"):
        sv.plan_inference(sv.load_tflite(path), device="stm32f446", budget="latency=1us")
    with pytest.raises(sv.InvalidInput, match=r"what selvedge\.load_tflite returned"):
        sv.plan_inference(path)  # type: ignore[arg-type]
    with pytest.raises(sv.InvalidInput, match="give that of a"):
        sv.load_tflite(3)  # type: ignore[arg-type]


def test_scales_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    inputs = [T((1, 4), scale=0.5), T((1, 4), scale=0.5)]
    data = written("ADD", inputs, T((1, 4), scale=2.0**-40), {}, "AddOptions")
    (tmp_path / "odd.tflite").write_bytes(data)
    with pytest.raises(sv.InvalidInput, match="operator 0 ADD") as error:
        sv.load_tflite(tmp_path / "odd.tflite")
    assert "too small for summands" in str(error.value)
    assert "\n" not in str(error.value)
