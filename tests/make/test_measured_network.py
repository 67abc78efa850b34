"""What a candidate costs: every figure is that of the parts which make it, and of memory that was painted."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import nn

import selvedge as sv
from selvedge.make.interleaved import interleaved
from selvedge.make.measured_network import MeasuredNetwork, Training, measured_network


def net(width: int = 8) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(),
        nn.Conv2d(width, width, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(9 * width, 4),
    ).eval()  # fmt: skip


x = torch.randn(40, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def cost(model: nn.Module, **given: object) -> MeasuredNetwork:
    return measured_network(model, x, device=given.pop("device", "stm32f446"), **given)  # type: ignore[arg-type]


def test_the_file_is_as_long_as_the_one_that_is_written(tmp_path: Path) -> None:
    model = net()
    small = sv.quantise(model, x, wanted_agreement=0.0)
    flat, int8 = cost(model), cost(small)
    assert (flat.file, int8.file) == (".onnx", ".tflite")
    assert flat.file_bytes == sv.save_onnx(sv.network(model, x[:1]), tmp_path / "net.onnx").stat().st_size
    assert int8.file_bytes == sv.save_tflite(sv.network(small, x[:1]), tmp_path / "net.tflite").stat().st_size
    assert int8.weights_bytes < flat.weights_bytes < flat.flash_bytes
    assert int8.arena_bytes < flat.arena_bytes


def test_ram_is_what_painted_memory_shows() -> None:
    model = net()
    found = cost(model)
    assert sv.measured(found.plan).arena == found.arena_bytes
    room = sv.Device(name="room", ram="1GiB", flash="1GiB")
    full = sv.plan(model, x[:1], device=room, optimizer=sv.SGD(lr=0.01))
    assert sv.measured(full).arena == full.arena_bytes == found.training.full_bytes
    assert found.training == Training(full.arena_bytes, "full", full.arena_bytes, "")
    assert found.fits
    assert found.macs == 8 * 9 * 64 + 8 * 8 * 9 * 9 + 4 * 72
    assert found.seconds is not None


def test_where_full_does_not_fit_the_plan_says_what_learns() -> None:
    found = cost(net(16), device=sv.Device(name="small", ram="10KiB", flash="256KiB"))
    assert found.training.full_bytes is not None
    assert found.training.full_bytes > 10 << 10 >= (found.training.arena_bytes or 0) > 0
    assert found.training.update.startswith("last:")
    assert (found.seconds, found.joules) == (None, None)


def test_where_the_device_is_too_small_there_are_figures_and_a_refusal() -> None:
    roomy = cost(net())
    by_rows = cost(net(), device=sv.Device(name="small", ram="2KiB", flash="256KiB"))
    assert by_rows.fits
    assert by_rows.arena_bytes <= 2048 < roomy.arena_bytes
    tiny = cost(net(), device=sv.Device(name="tiny", ram="1KiB", flash="256KiB"))
    assert not tiny.fits
    assert tiny.refused.startswith("RAM does not fit: needs ")
    assert tiny.arena_bytes == roomy.arena_bytes
    assert (tiny.training.update, tiny.training.arena_bytes) == ("", None)
    assert tiny.training.refused.startswith("RAM does not fit: needs ")
    slow = cost(net(), budget="latency=1us")
    assert slow.refused.startswith("budget latency is ")
    with pytest.raises(sv.InvalidInput, match="budget ram is"):
        cost(net(), budget="ram=1GiB")


def test_training_is_priced_of_the_float_network_or_taken_as_known() -> None:
    model = net()
    small = sv.quantise(model, x, wanted_agreement=0.0)
    assert cost(small).training == Training(None, "", None, "no float network was given to be trained")
    assert cost(small, trained_as=model).training == cost(model).training
    known = Training(1, "full", 1, "")
    assert cost(small, training=known).training is known


def test_no_file_says_so_and_the_rest_is_measured() -> None:
    gru, example, loss = sv_zoo("keyword_gru")
    found = measured_network(gru.eval(), example, device="stm32f446", loss=loss)
    assert (found.file, found.file_bytes) == ("", None)
    assert found.arena_bytes > 0
    assert set(found.to_dict()) == {f.name for f in dataclasses.fields(found)} - {"plan"}
    with pytest.raises(sv.InvalidInput, match="example is of type list"):
        measured_network(gru, [1], device="stm32f446")  # type: ignore[arg-type]


def sv_zoo(name: str) -> tuple[nn.Module, torch.Tensor, str]:
    from selvedge.zoo import make

    return make(name)


def test_calls_are_timed_in_turn() -> None:
    order: list[str] = []
    found = interleaved([lambda: order.append("a"), lambda: order.append("b")], most=3, seconds=60, warm=1)
    assert order == ["a", "b"] + ["a", "b"] * 3
    assert [t.calls for t in found] == [3, 3]
    assert all(0 <= t.low <= t.median <= t.high for t in found)
    assert interleaved([]) == []
