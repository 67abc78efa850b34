"""What every codec promises: its bytes, the sample's shape and dtype, and no error beyond its bound."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from selvedge.errors import InvalidInput
from selvedge.learn.memory.affine import Affine
from selvedge.learn.memory.beside import Beside, logits
from selvedge.learn.memory.bits import Bits
from selvedge.learn.memory.codec import Codec
from selvedge.learn.memory.named import FACTORS, NAMES, codec
from selvedge.learn.memory.packing import pack, packed_size, unpack
from selvedge.learn.memory.raw import Raw
from selvedge.learn.memory.smaller import Smaller

PLAIN: list[Codec] = [Raw(), *(Affine(b) for b in (1, 2, 4, 8)), Affine(4, -1, 2.5), *(Bits(b) for b in (1, 2, 4, 8))]
SMALLER: list[Codec] = [Smaller(f, c, by) for f in (2, 3) for c in PLAIN for by in ("nearest", "bilinear")]
CODECS: list[Codec] = [*PLAIN, *SMALLER, Smaller(2, Smaller(2, Bits(4)))]
SHAPES = st.lists(st.integers(1, 9), min_size=1, max_size=3).map(tuple)


def samples(dtype: str, shape: tuple[int, ...]) -> st.SearchStrategy[np.ndarray]:
    kind = np.dtype(dtype)
    if kind.kind == "f":
        elements = st.floats(-60000, 60000, width=32)
    else:
        elements = st.integers(int(np.iinfo(kind).min), int(np.iinfo(kind).max))
    return hnp.arrays(kind, (3, *shape), elements=elements)


@settings(max_examples=200, deadline=None)
@given(data=st.data(), of=st.sampled_from(CODECS), dtype=st.sampled_from(["float32", "uint8", "int16"]), shape=SHAPES)
def test_a_sample_comes_back_within_the_bound_in_the_promised_bytes(
    data: Any, of: Codec, dtype: str, shape: tuple[int, ...]
) -> None:
    x = data.draw(samples(dtype, shape))
    kind = np.dtype(dtype)
    code = of.encode(x)
    assert (code.dtype, code.shape) == (np.uint8, (3, of.size(shape, kind)))
    back = of.decode(code, shape, kind)
    assert (back.dtype, back.shape) == (kind, x.shape)
    error = np.abs(back.astype(np.float64) - x.astype(np.float64)).reshape(3, -1).max(1)
    bound = of.bound(x)
    assert np.all(error <= bound), (error, bound)
    assert np.array_equal(of.encode(x[1:2])[0], code[1]), "a sample's bytes depend on its neighbours"


@settings(deadline=None)
@given(data=st.data(), shape=SHAPES)
def test_half_precision_is_within_its_bound(data: Any, shape: tuple[int, ...]) -> None:
    x = data.draw(hnp.arrays(np.float32, (3, *shape), elements=st.floats(-1e6, 1e6, width=32)))
    of = Raw("float16")
    back = of.decode(of.encode(x), shape, x.dtype)
    error = np.abs(back.astype(np.float64) - x).reshape(3, -1).max(1)
    assert of.size(shape, x.dtype) == 2 * x[0].size
    assert np.all(error <= of.bound(x))


def test_a_bound_is_worth_having() -> None:
    """Random pictures come to within a quarter of it: it is no idle number."""
    x = np.random.default_rng(0).uniform(0, 255, (50, 1, 28, 28)).astype(np.float32)
    for of in (c for c in CODECS if c != Raw()):
        error = np.abs(of.decode(of.encode(x), x.shape[1:], x.dtype) - x).reshape(50, -1).max(1)
        assert error.max() > of.bound(x).max() / 4, of


@given(bits=st.sampled_from([1, 2, 4, 8]), n=st.integers(0, 40), seed=st.integers(0, 99))
def test_codes_are_packed_and_come_back(bits: int, n: int, seed: int) -> None:
    codes = np.random.default_rng(seed).integers(0, 1 << bits, (2, n)).astype(np.uint8)
    packed = pack(codes, bits)
    assert packed.shape == (2, packed_size(n, bits))
    assert np.array_equal(unpack(packed, n, bits), codes)
    if bits == 1:
        assert np.array_equal(packed, np.packbits(codes, axis=1)), "numpy's own order"


def test_one_bit_is_a_threshold_and_a_half_is_a_mean() -> None:
    x = np.array([[[0, 0, 255, 255], [0, 100, 255, 200]]], np.uint8)
    assert Affine(1).decode(Affine(1).encode(x), (2, 4), x.dtype).tolist() == [[[0, 0, 255, 255], [0, 0, 255, 255]]]
    half = Smaller(2)
    assert half.decode(half.encode(x), (2, 4), x.dtype)[0, 0].tolist() == [25, 25, 241, 241]
    smooth = Smaller(2, decode_by="bilinear")
    assert smooth.decode(smooth.encode(x), (2, 4), x.dtype)[0, 0].tolist() == [25, 79, 187, 241]


def test_names_are_those_of_a_command_line() -> None:
    uint8, float32 = np.dtype(np.uint8), np.dtype(np.float32)
    assert codec("2bit", uint8) == Affine(2)
    assert codec("2bit", float32) == Bits(2)
    assert codec("half+2bit", float32) == Smaller(2, Bits(2))
    assert codec("half+half+1bit", uint8) == Smaller(2, Smaller(2, Affine(1)))
    assert codec(Bits(4), uint8) == Bits(4)
    sizes = {name: codec(name, uint8).size((1, 28, 28), uint8) for name in ("raw", "int4", "1bit", "half+2bit")}
    assert sizes == {"raw": 784, "int4": 392, "1bit": 98, "half+2bit": 49}
    for name in NAMES:
        assert codec(name, float32).size((8,), float32) <= 32
        assert str(codec(name, float32))
        for factor in FACTORS:
            assert codec(f"{factor}+{name}", float32).size((8,), float32) < 32


@pytest.mark.parametrize("text", ["3bit", "", "half", "half+", "half+zip", "RAW", "fifth+raw"])
def test_another_text_is_one_line(text: str) -> None:
    names = "raw, int8, int4, 2bit, 1bit"
    with pytest.raises(InvalidInput, match=re.escape(f"codec is {text or 'empty'}: give one of {names}, or half+")):
        codec(text, np.dtype(np.uint8))


def test_half_precision_of_bytes_is_refused() -> None:
    with pytest.raises(InvalidInput, match="codec is float16: give one of raw, int8"):
        codec("float16", np.dtype(np.uint8))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Affine(3), "codec bits is 3: give 1, 2, 4 or 8"),
        (lambda: Bits(16), "codec bits is 16: give 1, 2, 4 or 8"),
        (lambda: Affine(2, 1, 1), "codec range is 1..1: give finite numbers, the lower one first"),
        (lambda: Affine(2, 0, float("nan")), "codec range is 0..nan"),
        (lambda: Affine(True), "codec bits is True: give 1, 2, 4 or 8"),
        (lambda: Bits(4.0), "codec bits is 4.0: give 1, 2, 4 or 8"),
        (lambda: Affine(2, "dark", "bright"), "codec range is dark..bright: give finite numbers"),
        (lambda: Smaller(2, "int4"), "codec inner is int4: give a codec, as Bits"),
        (lambda: Beside((3,), Bits), "beside codec is <class .*Bits'>: give a codec"),
        (lambda: Beside((0,)), "beside shape is .0,.: give a tuple of sizes of at least 1"),
        (lambda: logits("10"), "beside shape is 10: give a whole number"),
        (lambda: Smaller(1), "codec factor is 1: give a whole number of at least 2"),
        (lambda: Smaller(2, Raw(), "cubic"), "codec decode_by is cubic: give nearest or bilinear"),
        (lambda: Raw("int8"), "codec dtype is int8: give float16 or float32"),
        (lambda: Smaller(2).size((), np.dtype(np.uint8)), "codec is 1/2.raw: a sample of one number"),
    ],
)
def test_a_codec_that_cannot_be_is_one_line(make: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        make()


@pytest.mark.parametrize("of", [Affine(4, -1, 1), Bits(4), Smaller(2, Bits(2))], ids=str)
def test_what_is_no_number_does_not_stop_a_codec(of: Codec) -> None:
    x = np.array([[np.nan, np.inf, -np.inf, 0.5]], np.float32)
    back = of.decode(of.encode(x), (4,), x.dtype)
    assert np.all(np.isfinite(back))


@pytest.mark.parametrize("of", [Bits(8), Bits(1), Raw("float16"), Smaller(2, Bits(4))], ids=str)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_largest_numbers_stay_within_the_bound(of: Codec, dtype: str) -> None:
    ends = np.finfo(dtype)
    for low, high in ((ends.min, ends.max), (ends.min, 0), (0, ends.max)):
        x = np.array([[low, low, high, high]], dtype)
        back = of.decode(of.encode(x), (4,), x.dtype)
        with np.errstate(over="ignore"):
            assert np.abs(back.astype(float) - x.astype(float)).max() <= of.bound(x)[0] * (1 + 1e-12)
        assert np.all(np.isfinite(back))
