"""Storage that fails, at every call: refused before the first update, torn after it, whole again once restored."""

from __future__ import annotations

import ctypes
import errno
import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

import selvedge as sv
from selvedge.run.library import OK, STORAGE, TORN
from selvedge.run.storage import StorageFailed, Torn
from tests import oracle
from tests.make.test_trade import PAGED

READ = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_void_p, ctypes.c_uint32)


class Emulated:
    """Flash that is a block of bytes, and stops working at call ``fails``."""

    def __init__(self, size: int) -> None:
        self.bytes, self.calls, self.fails = np.full(size, 0xFF, np.uint8), 0, -1
        self.read, self.write = READ(self._read), READ(self._write)
        self.struct = (ctypes.c_void_p * 3)(
            ctypes.cast(self.read, ctypes.c_void_p).value, ctypes.cast(self.write, ctypes.c_void_p).value, None
        )

    def _fails(self) -> bool:
        self.calls += 1
        return self.calls == self.fails

    def _read(self, context: int, at: int, where: int, size: int) -> int:
        if self._fails():
            return 1
        ctypes.memmove(where, self.bytes[at:].ctypes.data, size)
        return 0

    def _write(self, context: int, at: int, where: int, size: int) -> int:
        assert at % 4096 == 0
        assert at + size <= len(self.bytes)
        if self._fails():
            return 1
        ctypes.memmove(self.bytes[at:].ctypes.data, where, size)
        return 0


@cache
def paging() -> sv.Plan:
    model, example, loss = oracle.zoo_model("resnet8")
    trade = sv.Trade(stream=False, recompute=False, page=True, least=True, slowdown=50.0)
    return sv.plan(model, example, loss=loss, norms="folded", device=PAGED, optimizer=sv.SGD(lr=0.01), trade=trade)


def given() -> tuple[np.ndarray, np.ndarray]:
    _, example, _ = oracle.zoo_model("resnet8")
    return example.numpy(), np.array([3], np.int32)


def attached(session: sv.Session) -> Emulated:
    """``session`` on emulated flash instead of its file."""
    flash = Emulated(session.manifest.storage_bytes)
    library = session._library
    library._attach(library.address, ctypes.addressof(flash.struct))
    return flash


def test_storage_that_fails_at_any_call_leaves_a_state_that_is_whole_or_says_that_it_is_torn() -> None:
    x, y = given()
    session = sv.compile(paging())
    flash, start = attached(session), session.snapshot()
    session.step(x, y)
    after, calls = session.snapshot(), flash.calls
    assert calls > 4
    seen = set()
    for call in range(1, calls + 1):
        session.restore(start, 0)
        flash.calls, flash.fails = 0, call
        with pytest.raises((StorageFailed, Torn)) as error:
            session.step(x, y)
        seen.add(error.type)
        flash.fails = -1
        if error.type is StorageFailed:
            assert all(np.array_equal(start[n], a) for n, a in session.snapshot().items())
        else:
            for refused in (lambda: session.step(x, y), lambda: session.predict(x), lambda: session.evaluate(x, y)):
                with pytest.raises(Torn, match="load a good state"):
                    refused()
            session.restore(start, 0)
        session.step(x, y)
        assert all(np.array_equal(after[n], a) for n, a in session.snapshot().items())
    assert seen == {StorageFailed, Torn}


def test_without_storage_a_program_refuses() -> None:
    session = sv.compile(paging())
    library = session._library
    library._attach(library.address, 0)
    x, y = given()
    with pytest.raises(StorageFailed, match="nothing was updated"):
        session.step(x, y)
    assert (OK, STORAGE, TORN) == (0, 3, 4)


def test_a_session_pages_to_the_file_that_it_is_given(tmp_path: Path) -> None:
    x, y = given()
    file = tmp_path / "pages"
    session = sv.compile(paging(), storage=file)
    assert file.stat().st_size == session.manifest.storage_bytes > 0
    before = file.read_bytes()
    one = session.step(x, y)
    assert file.read_bytes() != before
    sv.emit(paging(), "c", tmp_path / "firmware")
    assert "storage_posix.c" in {p.name for p in (tmp_path / "firmware").iterdir()}
    assert sv.load(tmp_path / "firmware", storage=tmp_path / "other").step(x, y) == one


def test_storage_that_cannot_be_had_is_refused(tmp_path: Path) -> None:
    for bad, why in ((tmp_path, "cannot be written"), (tmp_path / "no" / "where", "cannot be written"), (7, "path")):
        with pytest.raises(sv.InvalidInput, match=f"storage is .*{why}"):
            sv.compile(paging(), storage=bad)  # type: ignore[arg-type]


def test_two_sessions_that_name_one_file_page_to_files_of_their_own(tmp_path: Path) -> None:
    """One that pages out and is kept from its next read must not find what the other has written."""
    x, y = given()
    one, other = (sv.compile(paging(), storage=tmp_path / "pages") for _ in range(2))
    files = [session._library._file for session in (one, other)]
    assert None not in files
    assert len({os.fstat(f.fileno()).st_ino for f in files if f is not None}) == 2
    assert one.step(x, y) == other.step(x, y)


def test_what_storage_names_is_replaced_only_where_it_is_a_file_of_enough_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe, full = tmp_path / "pipe", tmp_path / "full"
    os.mkfifo(pipe)
    for bad in (pipe, Path("/dev/null")):
        with pytest.raises(sv.InvalidInput, match="is no regular file"):
            sv.compile(paging(), storage=bad)
    assert pipe.exists()

    def no_room(descriptor: int, at: int, size: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", no_room)
    with pytest.raises(sv.InvalidInput, match=r"bytes cannot be kept there \(No space left on device\)"):
        sv.compile(paging(), storage=full)
    assert not full.exists()


@cache
def accumulating() -> sv.Plan:
    torch.manual_seed(0)
    layers = [part for _ in range(4) for part in (torch.nn.Linear(24, 24), torch.nn.Tanh())]
    model = torch.nn.Sequential(*layers, torch.nn.Linear(24, 3))
    trade = sv.Trade(stream=False, recompute=False, page=True, least=True, slowdown=1e6)
    return sv.plan(
        model, torch.zeros(16, 24), device=PAGED, optimizer=sv.SGD(lr=0.1, momentum=0.9), accumulate=2, trade=trade
    )


def micro() -> tuple[np.ndarray, np.ndarray]:
    return np.linspace(-1, 1, 8 * 24, dtype=np.float32).reshape(8, 24), np.arange(8, dtype=np.int32) % 3


def test_a_torn_accumulation_is_gone_once_a_state_is_loaded() -> None:
    """Accumulators that storage left part old, part new must not leak into the next update."""
    x, y = micro()
    session = sv.compile(accumulating())
    flash, start, weights = attached(session), session.snapshot(), session.state_dict()
    session.accumulate(x, y)
    session.accumulate(x, y)
    session.apply()
    after, calls = session.snapshot(), flash.calls
    torn = 0
    for call in range(1, calls // 2 + 1):
        session.restore(start, 0)
        flash.calls, flash.fails = 0, call
        with pytest.raises((StorageFailed, Torn)) as error:
            session.accumulate(x, y)
        flash.fails = -1
        if error.type is Torn:
            torn += 1
            session.load_state_dict(weights)
        assert session.accumulated == 0
        session.accumulate(x, y)
        session.accumulate(x, y)
        session.apply()
        assert all(np.array_equal(after[n], a) for n, a in session.snapshot().items())
    assert torn


def test_an_interrupted_step_of_micro_batches_leaves_no_gradients_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = micro()
    session = sv.compile(accumulating())
    runs = iter([None, KeyboardInterrupt])
    run = session._run

    def interrupted(program: str) -> None:
        run(program)
        if (error := next(runs, None)) is not None:
            raise error

    monkeypatch.setattr(session, "_run", interrupted)
    before = session.snapshot()
    with pytest.raises(KeyboardInterrupt):
        session.step(np.concatenate([x, x]), np.concatenate([y, y]))
    assert session.accumulated == 0
    assert all(np.array_equal(before[n], a) for n, a in session.snapshot().items())
