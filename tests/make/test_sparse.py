"""Which layers run sparse: what is faster or smaller by the table; a plan without zeros is what it was."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import torch
from torch import nn

import selvedge as sv
from benchmarks.sparse.layers import expected
from benchmarks.sparse.shapes import Shape, graph
from selvedge.device.figures import KernelTime, Rates
from selvedge.make.sparse import FASTER
from selvedge.make.sparse_times import FILE, reference, references
from selvedge.planning.arrange import arrange

AVX2 = sv.Device(name="avx2", ram="16MiB", flash="16MiB", vector_bytes=32)
SCALAR = sv.Device(name="scalar", ram="16MiB", flash="16MiB", vector_bytes=0)


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 64, 1), nn.ReLU(),
        nn.Conv2d(64, 64, 1), nn.ReLU(), nn.AvgPool2d(4), nn.Flatten(), nn.Linear(64 * 9, 96), nn.ReLU(),
        nn.Linear(96, 10),
    ).eval()  # fmt: skip


X = torch.zeros(1, 3, 12, 12)


def planned(sparsity: float, how: str = "auto", device: sv.Device = AVX2, **given: str) -> sv.Inference:
    model = net() if sparsity == 0 else sv.sparsify(net(), sparsity).model
    return sv.plan_inference(model, X, device=device, sparse=how, **given)


@pytest.mark.parametrize("device", [AVX2, SCALAR], ids=lambda d: d.name)
def test_many_zeros_run_sparse_compute_the_same_and_take_fewer_bytes(device: sv.Device) -> None:
    plan, dense = planned(0.9, device=device), planned(0.9, "never", device)
    assert {s.layer.split()[0] for s in plan.sparse if s.taken} >= {"5", "9"}
    assert all(s.taken == (s.sparse_seconds <= FASTER * s.dense_seconds) for s in plan.sparse)
    saved = sum(s.dense_bytes - s.sparse_bytes for s in plan.sparse if s.taken)
    assert abs(dense.weights_bytes - plan.weights_bytes - saved) <= 8 * 4 * len(plan.sparse)  # each array is aligned
    assert plan.cost.macs < 0.6 * dense.cost.macs
    x = np.random.default_rng(0).normal(size=(1, 3, 12, 12)).astype(np.float32)
    told = [sv.compile(p).predict(x) for p in (plan, dense)]
    np.testing.assert_allclose(told[0], told[1], rtol=0, atol=1e-5 * np.abs(told[1]).max())
    used = sv.measured(plan)
    assert (used.arena, used.faults) == (plan.arena_bytes, ())


def test_without_zeros_a_plan_is_what_it_was() -> None:
    auto, never = planned(0, "auto"), planned(0, "never")
    assert auto.arrangement.digest() == never.arrangement.digest()
    assert auto.sparse == ()
    few = planned(0.3)
    assert few.arrangement.digest() == planned(0.3, "never").arrangement.digest()
    assert few.sparse
    assert not any(s.taken for s in few.sparse)
    assert [s["layer"] for s in few.to_dict()["sparse"]] == [s.layer for s in few.sparse]
    assert "zeros   9 (576 to 96): 30.0% zeros" in str(few)


def test_no_layer_that_is_faster_is_refused_with_its_break_even_and_that_is_true() -> None:
    with pytest.raises(sv.NotSupported) as caught:
        planned(0.3, "for_speed")
    said = str(caught.value)
    found = re.fullmatch(
        r"sparse='for_speed' is not supported at (.+) \(.+ to .+\): at 30.0% zeros (.+) are expected on avx2, dense "
        r"(.+); it is worth it from (\d+)% zeros on",
        said,
    )
    assert found is not None, said
    even = int(found[4]) / 100
    model = net()
    taken = sv.plan_inference(sv.sparsify(model, even, layers=[found[1]]).model, X, device=AVX2, sparse="for_speed")
    assert [s.layer.split()[0] for s in taken.sparse if s.taken] == [found[1]]
    with pytest.raises(sv.NotSupported):
        sv.plan_inference(sv.sparsify(model, even - 0.02, layers=[found[1]]).model, X, device=AVX2, sparse="for_speed")


def test_a_gain_that_nobody_would_see_is_refused() -> None:
    made = sv.sparsify(net(), 0.3, keep=["0"]).model
    with torch.no_grad():  # of a layer that does not count
        made[11].weight.masked_fill_(torch.rand(made[11].weight.shape) < 0.95, 0.0)
    plan = sv.plan_inference(made, X, device=AVX2)
    assert [s.layer.split()[0] for s in plan.sparse if s.taken] == ["11"]
    with pytest.raises(sv.NotSupported, match=r"1 of 4 layers with zeros are expected to be faster, by 0\.\d% of all"):
        sv.plan_inference(made, X, device=AVX2, sparse="for_speed")


@pytest.mark.parametrize(
    ("sparsity", "how", "said"),
    [
        (0.0, "for_speed", "no float layer has 10% of zeros: prune it first"),
        (0.0, "for_bytes", "no float layer has 10% of zeros: prune it first"),
        (0.15, "for_bytes", "prune more"),
        (0.9, "fast", "sparse is fast: choose one of auto, never, for_speed, for_bytes"),
    ],
)
def test_what_cannot_be_is_one_line(sparsity: float, how: str, said: str) -> None:
    with pytest.raises(sv.SelvedgeError, match=re.escape(said)):
        planned(sparsity, how)


def test_for_bytes_takes_what_is_smaller_and_auto_does_so_where_the_flash_asks_for_it() -> None:
    small, fast = planned(0.5, "for_bytes"), planned(0.5, "auto")
    assert all(s.taken == s.smaller for s in small.sparse)
    assert any(s.taken and not s.faster for s in small.sparse)
    assert small.weights_bytes < fast.weights_bytes
    between = (small.arrangement.memory.flash + fast.arrangement.memory.flash) // 2
    tight = planned(0.5, "auto", budget=f"flash={between}B")
    assert tight.arrangement.memory.flash <= between
    with pytest.raises(sv.DoesNotFit):
        planned(0.5, "never", budget=f"flash={between}B")


def test_where_scratch_does_not_fit_the_ram_auto_stays_dense() -> None:
    dense, plan = planned(0.9, "never"), planned(0.9)
    assert dense.arena_bytes < plan.arena_bytes  # windows are turned in scratch
    tight = planned(0.9, budget=f"ram={dense.arena_bytes}B")
    assert tight.arena_bytes <= dense.arena_bytes


def test_a_calibrated_device_has_the_word() -> None:
    assert reference(AVX2).name == "avx2"
    assert reference(SCALAR).lanes == 1
    names = ("conv2d", "sparse_rows", "sparse_pixels", "sparse_pixels_windows", "sparse_lanes")
    slow = tuple(KernelTime(n, "float32", Rates((("mac", 1e-9 if n == "conv2d" else 1e-6),))) for n in names)
    device = sv.Device(name="own", ram="16MiB", flash="16MiB", vector_bytes=32, times=slow)
    assert reference(device).name == "own"
    assert not any(s.taken for s in planned(0.9, device=device).sparse)


def test_the_built_in_table_says_where_it_comes_from() -> None:
    assert [r.lanes for r in references()] == [8, 4, 1]
    for found in references():
        assert re.search(r"ratios of \d+ layers that were not fitted are off by \d+%", found.source)
        assert "conv2d" in {t.family for t in found.times}
        assert all(s > 0 for t in found.times for s in t.seconds.values())
    assert list(json.loads(FILE.read_text())) == [r.name for r in references()]


def test_int8_layers_stay_dense() -> None:
    made = sv.sparsify(net(), 0.9).model
    int8 = sv.quantise(made, torch.randn(64, 3, 12, 12), wanted_agreement=0.0)
    assert sv.plan_inference(int8, X, device=AVX2).sparse == ()


LAYERS = [
    (Shape("", 1, 1, 8, 64), 0.9, False),  # a panel of outputs has its own cost: measured at 0.4 of dense's speed
    (Shape("", 1, 1, 64, 64), 0.75, False),
    (Shape("", 1, 1, 128, 16), 0.75, True),
    (Shape("", 25, 5, 64, 64), 0.5, True),
]


@pytest.mark.parametrize(("shape", "sparsity", "faster"), LAYERS, ids=lambda v: str(v))
def test_a_layer_is_priced_as_those_that_the_table_was_measured_on(shape: Shape, sparsity: float, faster: bool) -> None:
    """The times of the whole kernel, bias and activation in it: what ``python -m benchmarks.sparse`` judges by."""
    torch.manual_seed(0)
    linear = shape.h == 1
    layer = nn.Linear(shape.c, shape.k) if linear else nn.Conv2d(shape.c, shape.k, 1)
    x = torch.zeros(1, shape.c) if linear else torch.zeros(1, shape.c, shape.h, shape.w)
    model = sv.sparsify(nn.Sequential(layer, nn.ReLU()).eval(), sparsity).model
    (found,) = sv.plan_inference(model, x, device=AVX2).sparse
    made = layer_weights(model[0].weight.detach().numpy(), linear)
    want = [expected(arrange({"predict": graph(shape, made, sparse)}, AVX2), AVX2) for sparse in (False, True)]
    assert [found.dense_seconds, found.sparse_seconds] == pytest.approx(want)
    assert (found.taken, found.dense_bytes) == (faster, 4 * shape.c * shape.k)


def layer_weights(given: np.ndarray, linear: bool) -> np.ndarray:
    return np.ascontiguousarray(given.T if linear else given.transpose(2, 3, 1, 0))
