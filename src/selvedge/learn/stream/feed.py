"""A source, read ahead by a thread into a queue of so many samples; what happens when it is full is said."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from ...errors import InvalidInput
from .sample import Sample, Source

FULL = ("block", "drop")
TURN = 0.1  # seconds, after which a wait looks whether it was asked to stop


class Feed:
    """Iterates over the samples of ``source``; use it in a ``with`` block.

    full: what happens where ``size`` samples wait: "block", the source waits, as a file or a broker can; "drop", the
    oldest makes room and is counted in ``dropped``. stalled: seconds without a sample after which ``tell`` hears of
    it, once, and again when samples come. stop: asked at every turn; where it is true the iteration ends.
    """

    def __init__(
        self, source: Source, *, size: int = 64, full: str = "block", stalled: float = 30.0,
        tell: Callable[[str], None] = lambda line: None, stop: Callable[[], bool] = lambda: False,
    ) -> None:  # fmt: skip
        """Raises ``InvalidInput`` for settings that cannot be."""
        if size < 1:
            raise InvalidInput("queue", size, "give a number of samples >= 1")
        if full not in FULL:
            raise InvalidInput("full", full, f"give one of {', '.join(FULL)}")
        if not stalled > 0:
            raise InvalidInput("stalled", stalled, "give seconds above 0")
        self.source, self.dropped = source, 0
        self._size, self._full, self._stalled, self._tell, self._stop = size, full, stalled, tell, stop
        self._waiting: deque[Sample] = deque()
        self._change = threading.Condition()
        self._ended = self._closed = False
        self._error: BaseException | None = None
        # A thread that waits for a pipe nobody writes to must not keep the process.
        self._thread = threading.Thread(target=self._read, name="stream", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._change:
            self._closed = True
            self._change.notify_all()
        self.source.close()

    def __iter__(self) -> Iterator[Sample]:
        """A sample is :meth:`Source.done` when the next one is asked for."""
        while (sample := self._next()) is not None:
            yield sample
            self.source.done(sample.number)

    def _next(self) -> Sample | None:
        began, told = time.monotonic(), False
        with self._change:
            while not self._waiting:
                if self._ended:
                    if self._error is not None:
                        raise self._error
                    return None
                if self._stop():
                    return None
                quiet = time.monotonic() - began
                if quiet >= self._stalled and not told:
                    told = True
                    self._tell(f"no sample for {quiet:.3g} s")
                self._change.wait(min(TURN, self._stalled))
            if told:
                self._tell(f"samples come again after {time.monotonic() - began:.3g} s")
            if self._stop():
                return None
            sample = self._waiting.popleft()
            self._change.notify_all()
            return sample

    def _read(self) -> None:
        try:
            for sample in self.source:
                with self._change:
                    while len(self._waiting) >= self._size and not self._closed:
                        if self._full == "drop":
                            gone = self._waiting.popleft()
                            self.dropped += 1
                            self.source.done(gone.number)
                        else:
                            self._change.wait()
                    if self._closed:
                        return
                    self._waiting.append(sample)
                    self._change.notify_all()
        except BaseException as error:  # the thread that iterates raises it
            self._error = error
        finally:
            with self._change:
                self._ended = True
                self._change.notify_all()
