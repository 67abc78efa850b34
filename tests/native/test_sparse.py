"""Sparse layers: every kernel is the dense product, whatever its shape and its zeros, on buffers of its own size."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selvedge.ir.ops.convolution import _conv as dense
from selvedge.planning.sparse import entries, steps
from selvedge.planning.sparse_sizes import SPARSE_LANES, sparse_scratch

from .build import Conv, Kernels, compile_kernels
from .test_int8_targets import FLAGS, agrees, found
from .test_kernels import builds
from .test_memory import stays_inside

BUILDS = [row for row in builds() if (row[1], row[2]) in {("float", 0), ("float", 16), ("float", 32), ("double", 0)}]


BUILDS.append(("gcc", "float", 64, ()))  # any core can be told to take two registers for one


@pytest.fixture(scope="module", params=BUILDS, ids=lambda row: "-".join(str(part) for part in row[:3]))
def kernels(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Kernels:
    return compile_kernels(tmp_path_factory.mktemp("native"), *request.param, unit="sparse.c")


@st.composite
def layers(draw: st.DrawFn) -> tuple[Conv, float, int]:
    """A layer, its share of zeros, and a seed."""
    size, stride = draw(st.sampled_from([(1, 1), (1, 1), (1, 2), (2, 1), (3, 1), (3, 2)]))
    pad = draw(st.integers(0, size - 1))
    n, c, k = draw(st.integers(1, 2)), draw(st.sampled_from([1, 3, 8, 13, 40, 300])), draw(st.integers(1, 19))
    h, w = (draw(st.integers(size, 9)) for _ in "hw")
    oh, ow = ((extent + 2 * pad - size) // stride + 1 for extent in (h, w))
    d = Conv(n, h, w, c, oh, ow, k, size, size, stride, stride, pad, pad)
    return d, draw(st.sampled_from([0.0, 0.3, 0.75, 0.95, 0.999, 1.0])), draw(st.integers(0, 1 << 20))


@given(layers())
@settings(max_examples=60, deadline=None)
def test_every_kernel_is_the_dense_convolution(kernels: Kernels, drawn: tuple[Conv, float, int]) -> None:
    d, zeros, seed = drawn
    rng = np.random.default_rng(seed)
    x = kernels.real(rng.normal(size=(d.n, d.h, d.w, d.c)))
    w = kernels.real(rng.normal(size=(d.kh, d.kw, d.c, d.k)))
    w[rng.random(w.shape) < zeros] = 0
    w[..., rng.random(d.k) < 0.1] = 0  # an output of nothing
    attrs = {"stride": (d.sh, d.sw), "padding": ((d.ph, d.ph), (d.pw, d.pw)), "dilation": (1, 1), "groups": 1}
    want = dense((x.astype(np.float64), w.astype(np.float64)), attrs)[0].reshape(d.pixels, d.k)
    near = {"rtol": 0, "atol": (1e-5 if kernels.dtype == np.float32 else 1e-12) * (1 + np.abs(want).max())}
    params = {f: getattr(d, f) for f in d.__dataclass_fields__}
    lanes, cut = kernels("lanes"), d.pixels // 3
    values, gaps, counts = entries(w.reshape(-1, d.k))

    def ran(name: str, *given: object, scratch: int | None) -> np.ndarray:
        out = kernels.empty(d.pixels, d.k)
        own = [] if scratch is None else [kernels.empty(max(1, scratch))]
        for first, last in ((0, cut), (cut, d.pixels)):  # in two tiles, as a plan has several
            kernels(name, out[first:], x, *given[:-1], d, *given[-1], *own, first, last)  # type: ignore[misc]
        return out

    np.testing.assert_allclose(ran("plain", values, gaps, counts, (), scratch=None), want, **near)
    rows = ran("rows", values, gaps, counts, (), scratch=sparse_scratch("sparse_rows", params, lanes))
    np.testing.assert_allclose(rows, want, **near)
    if lanes > 1:
        size = sparse_scratch("sparse_pixels", params, lanes)
        zero = kernels.real(np.zeros(d.c))
        np.testing.assert_allclose(ran("pixels", values, gaps, counts, (zero,), scratch=size), want, **near)
    if d.rows >= SPARSE_LANES:
        values, picks, gaps, counts = steps(w.reshape(-1, d.k))
        size = sparse_scratch("sparse_lanes", params, lanes)
        np.testing.assert_allclose(ran("panels", values, picks, gaps, counts, (), scratch=size), want, **near)


@pytest.mark.parametrize("vector_bytes", [0, 32])
def test_sparse_kernels_stay_inside_their_buffers(tmp_path: Path, vector_bytes: int) -> None:
    flags = next((row[3] for row in BUILDS if row[2] == vector_bytes and row[0] == "gcc"), None)
    if flags is None:
        pytest.skip(f"this machine has no vectors of {vector_bytes} bytes")
    stays_inside("sparse_memory.c", tmp_path, "float", vector_bytes, *flags)


def test_on_64_bit_arm_they_are_the_plain_one(tmp_path: Path) -> None:
    emulator = found("qemu-aarch64")
    if find_spec("ziglang") is None:
        pytest.skip("ziglang is not installed")
    program, source = str(tmp_path / "sparse"), str(Path(__file__).with_name("sparse_memory.c"))
    arm = ["-target", "aarch64-linux-musl", "-static"]
    agrees(sys.executable, "-m", "ziglang", "cc", *arm, *FLAGS, "-Werror", source, "-o", program, "-lm")
    agrees(emulator, program)
