"""A diary keeps to its bytes, keeps the newest, and counts all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selvedge.errors import InvalidInput
from selvedge.learn.diary import Diary

LINES = st.lists(st.tuples(st.integers(0, 10**12), st.sampled_from(["committed", "refused"]), st.text(max_size=600)))


@given(LINES, st.integers(256, 1500))
def test_it_keeps_to_its_bytes_and_to_the_newest(lines: list[tuple[int, str, str]], limit: int) -> None:
    diary = Diary(limit)
    for line in lines:
        diary.write(*line)
        assert sum(len(e.line().encode()) for e in diary) <= limit
    kept = list(diary)
    assert len(kept) == len(diary)
    assert sum(diary.counts.values()) == len(lines)
    for entry, (sample, kind, why) in zip(reversed(kept), reversed(lines), strict=False):
        assert (entry.sample, entry.kind) == (sample, kind)
        assert why.startswith(entry.why)
    if lines:
        assert kept


@given(LINES)
def test_its_state_goes_on(lines: list[tuple[int, str, str]]) -> None:
    one, other = Diary(700), Diary(700)
    for line in lines:
        one.write(*line)
    other.load_state_dict(one.state_dict())
    for diary in (one, other):
        diary.write(5, "dropped", "x" * 300)
    assert list(one) == list(other)
    assert one.counts == other.counts


def test_a_line_can_be_read() -> None:
    diary = Diary()
    diary.write(1234, "committed", "better")
    assert [str(entry) for entry in diary] == ["sample 1,234: committed: better"]


def test_anothers_state_and_too_few_bytes_are_refused() -> None:
    diary = Diary()
    diary.write(1, "refused", "why")
    for text in (b"", b"{}", b'{"lines": ["[1]"], "counts": {}}', b'{"lines": [], "counts": {"a": "b"}}'):
        with pytest.raises(InvalidInput, match="diary"):
            diary.load_state_dict({"text": np.frombuffer(text, np.uint8)})
    with pytest.raises(InvalidInput, match="diary"):
        diary.load_state_dict({})
    assert [entry.why for entry in diary] == ["why"]
    with pytest.raises(InvalidInput, match="256"):
        Diary(255)
