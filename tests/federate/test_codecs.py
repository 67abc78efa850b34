"""Every codec: what comes back, how many bytes, and that nothing that is sent can hurt."""

from __future__ import annotations

import contextlib
import zlib
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selvedge.errors import InvalidInput
from selvedge.federate.codec import rice
from selvedge.federate.codec.codec import Malformed, count
from selvedge.federate.codec.named import codec
from selvedge.federate.codec.seeded import drawn
from selvedge.federate.feedback import encoded
from selvedge.learn.draws import Draws

NAMES = (
    "float32", "float16", "int8", "int4", "int2", "sign", "top:0.05+int8", "top:0.3+sign", "top:1+float32",
    "seeded:0.25+int4", "seeded:1+float32", "rank:2+float32", "rank:1+int8", "int4+deflate", "top:0.1+int4+deflate",
)  # fmt: skip
EXACT = ("float32", "top:1+float32", "seeded:1+float32")
shapes = st.lists(st.lists(st.integers(1, 9), max_size=4).map(tuple), min_size=1, max_size=4).map(tuple)


def values(of: Any, seed: int, scale: float = 1.0) -> Any:
    return (np.random.default_rng(seed).standard_normal(count(of)) * scale).astype(np.float32)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40)
@given(of=shapes, seed=st.integers(0, 2**32), scale=st.sampled_from([0.0, 1e-30, 1e-3, 1.0, 1e4]))
def test_what_comes_back_is_of_the_shape_finite_and_within_the_bytes(
    name: str, of: Any, seed: int, scale: float
) -> None:
    made, v = codec(name), values(of, seed, scale)
    data = made.encode(v, of, seed, Draws(seed))
    back = made.decode(data, of, seed)
    assert len(data) <= made.most(of)
    assert (back.dtype.name, back.shape) == ("float32", v.shape)
    assert np.isfinite(back).all()
    assert made.encode(v, of, seed, Draws(seed)) == data
    if name in EXACT:
        np.testing.assert_array_equal(back, v)
    assert str(made) == name


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60)
@given(of=shapes, seed=st.integers(0, 999), data=st.data())
def test_any_bytes_are_decoded_or_refused_in_one_way(name: str, of: Any, seed: int, data: st.DataObject) -> None:
    made = codec(name)
    sent = bytearray(made.encode(values(of, seed), of, seed, Draws(seed)))
    for _ in range(data.draw(st.integers(1, 4))):
        if sent:
            sent[data.draw(st.integers(0, len(sent) - 1))] = data.draw(st.integers(0, 255))
    sent = sent[: data.draw(st.integers(0, len(sent)))] + data.draw(st.binary(max_size=3))
    with contextlib.suppress(Malformed):
        back = made.decode(bytes(sent), of, seed)
        assert back.shape == (count(of),)
        assert np.isfinite(back).all()


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_rounding_by_lot_is_right_on_the_mean_and_never_off_by_a_step(bits: int) -> None:
    made, v = codec(f"int{bits}"), values(((7, 5), (9,)), 1)
    backs = np.stack([made.decode(made.encode(v, ((7, 5), (9,)), 0, Draws(i)), ((7, 5), (9,)), 0) for i in range(3000)])
    step = np.repeat([np.abs(v[:35]).max(), np.abs(v[35:]).max()], [35, 9]) / (2 ** (bits - 1) - 1)
    assert (np.abs(backs - v) <= step * 1.0001).all()
    assert (np.abs(backs.mean(0) - v) < 4 * step / np.sqrt(3000)).all()


@settings(max_examples=200)
@given(n=st.integers(1, 4000), share=st.floats(0.001, 1), seed=st.integers(0, 999))
def test_indices_come_back_near_the_entropy(n: int, share: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    k = max(1, int(share * n))
    chosen = np.sort(random.choice(n, k, replace=False))
    data = rice.coded(chosen, n)
    back, taken = rice.decoded(data + b"rest", n, k)
    np.testing.assert_array_equal(back, chosen)
    assert taken == len(data) <= rice.most_bytes(n, k)
    if k > 200 and k < n / 2:
        p = k / n
        entropy = -(p * np.log2(p) + (1 - p) * np.log2(1 - p)) * n
        assert 8 * len(data) < 1.1 * entropy + 64


@given(n=st.integers(1, 5000), seed=st.integers(0, 2**64 - 1), data=st.data())
def test_what_a_seed_draws_is_rising_and_each_element_as_often(n: int, seed: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(1, n))
    chosen = drawn(n, k, seed)
    assert len(chosen) == k
    assert 0 <= chosen[0] <= chosen[-1] < n
    assert (np.diff(chosen) > 0).all()


def test_top_keeps_the_largest() -> None:
    v = values(((100,),), 3)
    back = codec("top:0.1+float32").decode(codec("top:0.1+float32").encode(v, ((100,),), 0, Draws(0)), ((100,),), 0)
    assert set(np.flatnonzero(back)) == set(np.argsort(-np.abs(v))[:10])


def test_low_rank_of_a_matrix_of_that_rank_is_exact() -> None:
    random = np.random.default_rng(0)
    v = np.float32(random.normal(size=(20, 2)) @ random.normal(size=(2, 30))).reshape(-1)
    made = codec("rank:2+float32")
    back = made.decode(made.encode(v, ((20, 30),), 5, Draws(0)), ((20, 30),), 5)
    np.testing.assert_allclose(back, v, atol=1e-5)
    assert made.most(((20, 30),)) == 4 * 2 * 50


@pytest.mark.parametrize("name", ["sign", "top:0.1+int8", "seeded:0.25+int4", "int2"])
def test_error_feedback_says_everything_in_the_end(name: str) -> None:
    """The sum of what was sent differs from the sum of what was meant by what is left, however long it goes on."""
    of, made = ((12, 4), (10,)), codec(name)
    meant: Any = np.zeros(count(of))
    sent: Any = meant
    left: Any = None
    for i in range(200):
        v = values(of, i) * np.float32(0.1) + np.float32(0.05)
        found = encoded(v, left, made, of, i, Draws(i))
        meant, sent, left = meant + v, sent + made.decode(found.data, of, i), found.left
    np.testing.assert_allclose(meant - sent, left, atol=1e-3)
    assert np.abs(left).max() < 0.3 * np.abs(meant).max()


def test_a_deflated_bomb_is_refused_before_it_is_blown_up() -> None:
    with pytest.raises(Malformed, match="do not end"):
        codec("int8+deflate").decode(zlib.compress(bytes(50_000_000)), ((10,),), 0)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "int3",
        "top:0+int8",
        "top:2+int8",
        "top:x+int8",
        "top:0.1",
        "rank:0+int8",
        "int8+int8",
        "nan",
        "top:nan+int8",
    ],
)
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(InvalidInput):
        codec(name)


def test_what_is_no_codec() -> None:
    with pytest.raises(InvalidInput, match="codec is of type int"):
        codec(cast(Any, 3))
