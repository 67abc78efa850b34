"""A queue between a stream and who takes from it: full, stalled, broken off, odd."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from selvedge.errors import InvalidInput
from selvedge.learn.stream.feed import Feed
from selvedge.learn.stream.odd import Odd
from selvedge.learn.stream.sample import Sample


def one(number: int, value: float | None = None, at: float | None = None) -> Sample:
    x = np.full(3, number if value is None else value, np.float32)
    return Sample(number, float(number) if at is None else at, x, 0)


class Steps:
    """A real source: gives ``count`` samples, and before number ``wait`` waits until it is let go."""

    name, seekable = "steps", True

    def __init__(self, count: int, wait: int = -1, fail: bool = False) -> None:
        self.count, self.wait, self.fail, self.go = count, wait, fail, threading.Event()
        self.given, self.safe = 0, []  # type: ignore[var-annotated]
        self.closed = False

    def seek(self, position: int) -> None:
        self.given = position

    def done(self, number: int) -> None:
        self.safe.append(number)

    def close(self) -> None:
        self.closed = True
        self.go.set()

    def __iter__(self) -> Iterator[Sample]:
        while self.given < self.count:
            if self.given == self.wait:
                self.go.wait(20)
            self.given += 1
            yield one(self.given - 1)
        if self.fail:
            raise InvalidInput("stream row 9", "x", "mend it")


def until(what: object) -> None:
    end = time.monotonic() + 20
    while not what():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_full_queue_blocks_the_source_and_loses_nothing() -> None:
    source = Steps(50)
    with Feed(source, size=4) as feed:
        time.sleep(0.1)
        assert source.given <= 6
        assert [s.number for s in feed] == list(range(50))
    assert source.safe == list(range(50))
    assert source.closed
    assert feed.dropped == 0


def test_or_the_oldest_make_room_and_are_counted() -> None:
    source = Steps(50)
    with Feed(source, size=4, full="drop") as feed:
        until(lambda: source.given == 50 and len(feed._waiting) == 4)
        assert [s.number for s in feed] == [46, 47, 48, 49]
        assert feed.dropped == 46


def test_a_sample_is_safe_when_the_next_is_asked_for() -> None:
    source = Steps(3)
    with Feed(source) as feed:
        samples = iter(feed)
        next(samples)
        assert source.safe == []
        next(samples)
        assert source.safe == [0]


def test_a_stall_is_told_once_and_its_end() -> None:
    source, told = Steps(3, wait=1), []

    def tell(line: str) -> None:
        told.append(line)
        if len(told) == 1:
            source.go.set()

    with Feed(source, stalled=0.1, tell=tell) as feed:
        assert [s.number for s in feed] == [0, 1, 2]
    assert [line.split(" after ")[0].rsplit(" for ", 1)[0] for line in told] == ["no sample", "samples come again"]


def test_what_breaks_the_source_off_is_raised_behind_its_samples() -> None:
    with Feed(Steps(2, fail=True)) as feed:
        samples = iter(feed)
        assert [next(samples).number, next(samples).number] == [0, 1]
        with pytest.raises(InvalidInput, match="mend it"):
            next(samples)


def test_stop_ends_it_also_while_nothing_comes() -> None:
    source, stop = Steps(5, wait=2), threading.Event()
    threading.Timer(0.2, stop.set).start()
    with Feed(source, stop=stop.is_set) as feed:
        assert [s.number for s in feed][:2] == [0, 1]


@pytest.mark.parametrize("given", [{"size": 0}, {"full": "wait"}, {"stalled": 0.0}])
def test_settings_that_cannot_be_are_one_line(given: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        Feed(Steps(1), **given)  # type: ignore[arg-type]


def said(values: list[float]) -> list[tuple[int, str]]:
    odd = Odd()
    found = [(i, odd.look(one(i, value))) for i, value in enumerate(values)]
    return [(i, line) for i, line in found if line]


def test_a_sensor_that_stands_still_is_told_once() -> None:
    (found,) = said([1, 2, 3] + [4.0] * 100)
    assert found == (35, "it repeats itself: the same sample again and again, 33 until now")


def test_a_loop_is_told_with_its_length_and_again_when_it_comes_again() -> None:
    loop = [float(i % 40) for i in range(200)]
    (first, second) = said([*loop, *(1000.0 + i for i in range(300)), *loop])
    assert first[0] == 79
    assert "the same 40 samples" in first[1]
    assert second[0] == 579


@pytest.mark.parametrize("seed", range(3))
def test_a_stream_that_only_meets_itself_now_and_then_is_not_odd(seed: int) -> None:
    assert said([float(v) for v in np.random.default_rng(seed).integers(0, 4, 2000)]) == []


def test_a_stream_that_goes_back_in_time_is_told() -> None:
    odd = Odd()
    lines = [odd.look(one(i, at=at)) for i, at in enumerate([100, 200, 50, 60, 199.5])]
    assert [bool(line) for line in lines] == [False, False, True, False, False]
    assert "sample 2 is 150 s older" in lines[2]
