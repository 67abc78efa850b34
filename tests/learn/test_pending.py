"""Samples that wait for their labels, in so many bytes, beside a dictionary that forgets the oldest."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selvedge.errors import InvalidInput
from selvedge.learn.pending import Pending


@given(st.integers(1, 6), st.lists(st.one_of(st.none(), st.integers(1, 40)), max_size=60))
def test_it_is_a_dictionary_that_forgets_the_oldest(capacity: int, calls: list[int | None]) -> None:
    """None keeps another sample, a number takes that ticket."""
    pending, model, given_out = Pending(capacity * 16, (2,)), dict[int, float](), 0
    for ticket in calls:
        if ticket is None:
            given_out += 1
            assert pending.keep(np.full(2, given_out, np.float32)) == given_out
            model[given_out] = float(given_out)
            model.pop(given_out - capacity, None)
        elif ticket > given_out:
            with pytest.raises(InvalidInput, match="ticket"):
                pending.take(ticket)
        else:
            found, wanted = pending.take(ticket), model.pop(ticket, None)
            assert (None if found is None else found.tolist()) == (None if wanted is None else [wanted, wanted])
        assert len(pending) == len(model)
        assert pending.bytes == capacity * 16


def test_its_state_goes_on_and_anothers_is_refused() -> None:
    one, other = Pending(64, (2,)), Pending(64, (2,))
    for i in range(5):
        one.keep(np.full(2, i, np.float32))
    other.load_state_dict(one.state_dict())
    assert other.keep(np.zeros(2, np.float32)) == 6
    assert other.take(5) is not None
    assert other.take(2) is None
    for state in ({}, Pending(160, (2,)).state_dict(), Pending(64, (2,), np.int32).state_dict()):
        with pytest.raises(InvalidInput, match="pending"):
            one.load_state_dict(state)
    assert one.take(5) is not None


def test_not_even_one_is_refused() -> None:
    with pytest.raises(InvalidInput, match="16 B"):
        Pending(15, (2,))
