"""What a Quant may say."""

from __future__ import annotations

import math

import pytest

from selvedge.ir.quant import Quant


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (((),), "positive"),
        (((0.0,),), "positive"),
        (((-1.0,),), "positive"),
        (((math.inf,),), "positive"),
        (((math.nan,),), "positive"),
        (((0.1,),), "float32"),
        (((1.0, 2.0),), "axis"),
        (((1.0, 2.0), (0, 0, 0), 0), "3 zero points for 2 scales"),
    ],
)
def test_a_quant_without_a_meaning_is_refused(arguments: tuple[object, ...], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Quant(*arguments)  # type: ignore[arg-type]


def test_equal_quants_are_equal() -> None:
    assert Quant((0.5,), (3,)) == Quant((0.5,), (3,)) != Quant((0.5,), (4,))
    assert Quant((0.5, 1.0), (0,), 1).is_symmetric
    assert not Quant((0.5,), (3,)).is_symmetric
