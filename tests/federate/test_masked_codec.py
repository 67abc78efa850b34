"""Changes as whole numbers that add up unseen: what the sum says is what a sum of the rounded changes is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selvedge.federate.codec.codec import Malformed
from selvedge.federate.codec.masked import CLIPPED, LOSS, Maskable, next_step, share_of
from selvedge.federate.codec.named import codec
from selvedge.learn.draws import Draws

CODECS = st.builds(
    Maskable, st.integers(1, 300), st.sampled_from([1.0, 0.25, 0.1]), st.integers(2, 16), st.floats(1e-6, 10.0),
    st.integers(0, (1 << 64) - 1),
)  # fmt: skip


@given(CODECS, st.integers(1, 6), st.integers(0, 1000))
def test_a_sum_of_members_is_read_as_the_sum_of_what_each_said(of: Maskable, members: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    total, wanted, clipped, losses = np.zeros(of.size, np.int64), np.zeros(len(of.places), np.int64), 0, 0
    for i in range(members):
        whole = (random.normal(size=of.elements) * of.step * of.end).astype(np.float32)
        loss = float(random.exponential())
        values, left = of.encode(whole, loss, Draws(i))
        assert np.abs(values).max() <= of.end
        assert values.dtype == np.int32
        total += values
        wanted += values[: len(of.places)]
        beyond = np.abs(whole[of.places].astype(np.float64)) > of.end * of.step
        clipped += int(beyond.sum())
        losses += round(loss * 2**LOSS)
        kept = np.clip(whole[of.places].astype(np.float64), -of.end * of.step, of.end * of.step)
        assert np.abs(left[of.places]).max() <= of.step * (1 + 1e-5)
        np.testing.assert_allclose(
            values[: len(of.places)] * of.step + left[of.places], kept, rtol=0, atol=1e-6 * of.step * of.end
        )
        others = np.delete(np.arange(of.elements), of.places)
        assert (left[others] == whole[others]).all()
    told = of.decode(total)
    assert (told.values == wanted).all()
    assert (told.clipped, told.loss) == (clipped, losses)


def test_rounding_by_lot_is_right_on_the_mean() -> None:
    of = Maskable(4000, 1.0, 4, 0.5, 1)
    whole = np.full(4000, 0.8, np.float32)
    values, _ = of.encode(whole, 0.0, Draws(7))
    assert set(values[:4000].tolist()) == {1, 2}
    assert values[:4000].mean() * 0.5 == pytest.approx(0.8, abs=0.02)


def test_losses_that_cannot_be_said_are_the_largest() -> None:
    of = Maskable(10, 1.0, 4, 0.1, 1)
    for loss, wanted in ((float("nan"), (1 << 24) - 1), (1e30, (1 << 24) - 1), (-3.0, 0)):
        values, _ = of.encode(np.zeros(10, np.float32), loss, Draws(0))
        assert of.decode(values.astype(np.int64)).loss == wanted


@given(CODECS)
def test_the_text_says_all_of_it(of: Maskable) -> None:
    assert Maskable.of(str(of), of.elements) == of


@pytest.mark.parametrize(
    "text",
    [
        "", "int4", "seeded:0.25+masked4@0x1.0p-3", "seeded:2.0+masked4@0x1.0000000000000p-3#1",
        "seeded:0.25+masked40@0x1.0000000000000p-3#1", "seeded:0.25+masked4@-0x1.0000000000000p-3#1",
        "seeded:0.25+masked4@0x1.0000000000000p-3#99999999999999999999", "seeded:0.250+masked4@0x1.0000000000000p-3#1",
        "seeded:0.25+masked4@0x0.0p+0#1", "seeded:0.25+masked4@0x1.0000000000000p+99999#1",
    ],
)  # fmt: skip
def test_texts_that_are_none(text: str) -> None:
    with pytest.raises(Malformed):
        Maskable.of(text, 10)


def test_a_sum_of_another_size_is_none() -> None:
    of = Maskable(10, 1.0, 4, 0.1, 1)
    with pytest.raises(Malformed, match="values where"):
        of.decode(np.zeros(of.size + 1, np.int64))


@pytest.mark.parametrize(
    ("text", "bits", "share"),
    [
        ("float32", 4, 1.0), ("int4", 4, 1.0), ("int8", 4, None), ("seeded:0.25+int4", 4, 0.25), ("float16", 4, None),
        ("seeded:0.25+float32", 7, 0.25), ("seeded:0.25+top:0.1+int4", 4, None), ("int4+deflate", 4, None),
    ],
)  # fmt: skip
def test_which_codecs_masked_values_can_stand_for(text: str, bits: int, share: float | None) -> None:
    assert share_of(codec(text), bits) == share


def test_the_step_goes_to_where_few_are_clipped() -> None:
    """Of normal changes, from far too small and far too large; and it follows when they shrink."""
    random, end = np.random.default_rng(0), 7
    for step in (1e-4, 100.0):
        for round_ in range(120):
            changes = random.normal(size=(20, 1000)) * (1.0 if round_ < 60 else 0.1)
            step = next_step(step, int((np.abs(changes) > end * step).sum()), changes.size, 1e6)
            if round_ == 59:
                assert 2.0 < end * step < 4.0
        assert 0.2 < end * step < 0.4
    assert next_step(1.0, int(CLIPPED * 10_000), 10_000, 1e6) == pytest.approx(1.0)
    assert next_step(1.0, 10_000, 10_000, 1.5) == 1.5
