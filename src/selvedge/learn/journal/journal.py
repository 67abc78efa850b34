"""A journal: records one after the other, snapshots now and then, and after any end both again.

Log g holds the records behind snapshot g. A new snapshot is written beside the old one, which stays, with its log,
until the one after it is whole: so a snapshot that the disk has damaged costs nothing but reading more records.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from operator import index
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy.typing as npt

from ...errors import DoesNotFit, InvalidInput
from . import files
from .lock import lock
from .record import Record, framed, read, size

LEAST = 4096  # bytes of a limit


class Journal:
    """Records and snapshots in ``folder``, at most ``limit_bytes`` in all and at every moment.

    A third of the limit is the most that a snapshot may take: while one is written, two earlier ones may be there. Of
    what three of the newest leave, half is for the records behind it; when that is used up, a snapshot is :attr:`due`.

    sync: "record": a record has reached the disk when :meth:`append` returns; "snapshot": it has left the process,
    which may be killed, but a power cut may take the records since the snapshot. Snapshots always reach the disk.

    private: nobody but its owner reads it: the folder has mode 0700 and each file 0600 from its first byte on; what was
    there with more is given less.

    The folder is held by one process at a time; :meth:`close` or the end of a ``with`` lets go. What a kill, a cut or a
    fault of the disk has left half-written is taken away when it is opened: :attr:`dropped` says what, a line each.
    """

    def __init__(
        self, folder: Path | str, limit_bytes: int, sync: Literal["record", "snapshot"] = "record",
        private: bool = False,
    ) -> None:  # fmt: skip
        """Raises ``InvalidInput`` where the folder is of something else, of another format, open elsewhere, cannot be
        written, or holds no snapshot that is whole and no records from the beginning on."""
        try:
            self.limit = index(limit_bytes)
        except TypeError:
            raise InvalidInput("journal limit_bytes", limit_bytes, "give a whole number") from None
        if self.limit < LEAST:
            raise InvalidInput("journal limit_bytes", limit_bytes, f"give {LEAST:,} or more")
        if sync not in ("record", "snapshot"):
            raise InvalidInput("journal sync", sync, "give record or snapshot")
        if "\0" in str(folder):
            raise InvalidInput("journal", str(folder).replace("\0", "\\0"), "a name has no zero byte: give another")
        self.folder, self._sync, self._broken = Path(folder), sync, ""
        self._mode = 0o600 if private else 0o666  # of a file, before the umask
        self.dropped: tuple[str, ...] = ()
        self._number = self._largest = self._generation = 0
        self._records = self._room = 0  # bytes of the logs behind the snapshot, and what they may be
        self._base: int | None = None  # the newest snapshot that is whole
        self._log: int | None = None
        self._lock: int | None = None
        with self._disk():
            if self.folder.exists() and not self.folder.is_dir():
                raise InvalidInput("journal", str(self.folder), "it is a file: name a folder")
            if not self.folder.exists():
                self.folder.parent.mkdir(parents=True, exist_ok=True)
                self.folder.mkdir(mode=0o700 if private else 0o777)
                files.sync(self.folder.parent)
            files.listed(self.folder)  # a stranger's folder is left without so much as a lock
            if private:
                files.to_owner(self.folder)
            self._lock = lock(self.folder, self._mode)
            try:
                self._open()
            except BaseException:
                self.close()
                raise

    @property
    def number(self) -> int:
        """How many records there have been: that of the next."""
        return self._number

    @property
    def bytes(self) -> int:
        """Of all files in the folder."""
        return sum(entry.stat().st_size for entry in self.folder.iterdir() if entry.is_file())

    @property
    def due(self) -> bool:
        """Whether another record as large as the largest might no longer fit: take a snapshot."""
        return self._records + self._largest > self._room

    def append(self, head: Any, arrays: Mapping[str, npt.ArrayLike] | None = None) -> int:
        """Write a record, and give its number. ``head``: anything that JSON has. ``arrays``: of numbers, by name.

        Raises ``DoesNotFit``, and nothing is written, where it would exceed the limit: take a snapshot, then append it
        again; ``InvalidInput``, and it is as if it had not been called, where the disk is full or cannot be written.
        Only where the disk took a record and then failed to keep it must the journal be opened again to see.
        """
        self._usable()
        parts = framed(self._number, head, arrays or {})
        length = size(parts)
        if self._records + length > self._room:
            alone = files.HEADER.size + length <= self._room
            have = max(0, self._room - self._records)
            raise DoesNotFit("journal", length, have, "take a snapshot" if alone else "give it a larger limit")
        assert self._log is not None
        end = os.fstat(self._log).st_size
        with self._disk():
            try:
                files.put(self._log, b"".join(parts))
            except BaseException:
                self._take_back(end)
                raise
            if self._sync == "record":
                try:
                    os.fsync(self._log)
                except OSError as error:  # what is on the disk is not known any more, and a second try would not tell
                    self._broken = f"the disk failed ({error.strerror}): open it again"
                    raise
        self._records += length
        self._largest = max(self._largest, length)
        self._number += 1
        return self._number - 1

    def snapshot(self, head: Any, arrays: Mapping[str, npt.ArrayLike] | None = None) -> None:
        """Write the whole state, in place of all records until now. Until it is whole, what was before it is there.

        Raises ``DoesNotFit`` where it takes more than a third of the limit, and ``InvalidInput`` where the disk is full
        or cannot be written; then nothing has changed.
        """
        self._usable()
        new = self._generation + 1
        parts = [files.header("snapshot", new, self._largest), *framed(self._number, head, arrays or {})]
        length = size(parts)
        need = 3 * length + 2 * (files.HEADER.size + self._largest) + 2 * files.HEADER.size
        if need > self.limit:
            raise DoesNotFit("journal", need, self.limit, f"give it a limit of {need:,} B: three snapshots and records")
        with self._disk():
            self._make_room(length + files.HEADER.size)
            file, log = (files.path(self.folder, kind, new) for kind in ("snapshot", "log"))
            written = files.write(file, parts, self._mode)
            try:
                empty = files.write(log, [files.header("log", new, self._largest)], self._mode)
            except BaseException:
                written.unlink()
                raise
            try:
                files.place(empty, log)
                files.place(written, file)
            except OSError as error:
                # Whether the snapshot has its name decides which of the two logs is read next: opening will see.
                self._broken = f"the disk failed ({error.strerror}): open it again"
                raise
            kept, self._base, self._generation = self._base or 0, new, new
            self._use_log()
            self._drop_before(kept)

    def recover(self) -> tuple[Record | None, list[Record]]:
        """The last snapshot that is whole (None where there was none yet), and the records behind it."""
        self._usable()
        with self._disk():
            found = list(self._read("snapshot", self._base)) if self._base else []
            records = [record for g in range(self._base or 0, self._generation + 1) for record in self._read("log", g)]
        return (found[0] if found else None), records

    def close(self) -> None:
        """Let go of the folder."""
        for handle in (self._log, self._lock):
            if handle is not None:
                os.close(handle)
        self._log = self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self) -> None:
        """Find what is whole, take away the rest, and go on behind it."""
        dropped: list[str] = []
        found, left = files.listed(self.folder)
        logs, snapshots = found["log"], found["snapshot"]
        for generation in reversed(snapshots):
            file = files.path(self.folder, "snapshot", generation)
            number = self._whole(generation)
            if number is not None:
                self._base, self._number = generation, number
                break
            dropped.append(f"{file.name}: damaged: {file.stat().st_size:,} B")
        if self._base is None and 0 not in logs and (logs or snapshots):
            fix = "none of its snapshots is whole, and what was before them is gone: name another folder"
            raise InvalidInput("journal", str(self.folder), fix)
        for file in left:
            file.unlink()
        for generation in snapshots:
            if generation > (self._base or 0):
                files.path(self.folder, "snapshot", generation).unlink()
        self._generation = self._base or 0
        newest = max(logs, default=0)
        for generation in range(self._base or 0, newest + 1):
            file = files.path(self.folder, "log", generation)
            if not file.exists():
                if generation < newest:
                    dropped.append(f"{file.name}: missing")
                break
            self._generation = generation
            scan = files.scan(file, generation, self._number)
            self._number += scan.count
            self._largest = max(self._largest, scan.largest)
            if scan.fault:
                dropped.append(f"{file.name}: {scan.fault} at byte {scan.end:,}: {scan.size - scan.end:,} B behind it")
                os.truncate(file, scan.end)
                break
        for generation in logs:
            if generation > self._generation:
                file = files.path(self.folder, "log", generation)
                if file.stat().st_size > files.HEADER.size:
                    dropped.append(f"{file.name}: behind what is lost: {file.stat().st_size:,} B")
                file.unlink()
        log = files.path(self.folder, "log", self._generation)
        if not log.exists() or log.stat().st_size == 0:  # there was none yet, or its first bytes were damaged
            files.place(files.write(log, [files.header("log", self._generation, self._largest)], self._mode), log)
        earlier = [g for g in snapshots if g < (self._base or 0)]
        self._drop_before(max(earlier, default=0))
        self._use_log()
        self.dropped = tuple(dropped)

    def _whole(self, generation: int) -> int | None:
        """The number of a snapshot that is whole; None of any other."""
        found = list(files.frames(files.path(self.folder, "snapshot", generation), "snapshot", generation))
        return found[0][0] if len(found) == 1 and not isinstance(found[0], str) else None

    def _read(self, kind: str, generation: int) -> Iterator[Record]:
        """The records that were whole when the journal was opened, and those written since."""
        for found in files.frames(files.path(self.folder, kind, generation), kind, generation):
            if isinstance(found, str):
                fix = f"{kind} {generation} was changed meanwhile: open it again"
                raise InvalidInput("journal", str(self.folder), fix)
            yield read(*found)

    def _use_log(self) -> None:
        """Append to the log of the generation, and count what there is."""
        if self._log is not None:
            os.close(self._log)
        self._log = os.open(files.path(self.folder, "log", self._generation), os.O_WRONLY | os.O_APPEND)
        logs = range(self._base or 0, self._generation + 1)
        self._records = sum(files.path(self.folder, "log", g).stat().st_size for g in logs)
        newest = files.path(self.folder, "snapshot", self._base).stat().st_size if self._base else 0
        self._room = (self.limit - 3 * newest) // 2 - files.HEADER.size  # two of them are more than the lock

    def _make_room(self, more: int) -> None:
        """Give up the earlier snapshot where ``more`` bytes would exceed the limit, if the later one is still whole."""
        if self.bytes + more > self.limit and self._base and self._whole(self._base) is not None:
            self._drop_before(self._base)
        if self.bytes + more > self.limit:
            raise DoesNotFit("journal", self.bytes + more, self.limit, "give it a larger limit")

    def _drop_before(self, generation: int) -> None:
        found, _ = files.listed(self.folder)
        for kind, generations in found.items():
            for g in generations:
                if g < generation:
                    files.path(self.folder, kind, g).unlink()

    def _take_back(self, end: int) -> None:
        """What a full disk took of a record; where not even that can be, nothing more may follow it."""
        assert self._log is not None
        try:
            os.ftruncate(self._log, end)
        except OSError as error:
            self._broken = f"a record is half-written and cannot be taken back ({error.strerror}): open it again"

    def _usable(self) -> None:
        if self._lock is None:
            raise InvalidInput("journal", str(self.folder), "it is closed: open it again")
        if self._broken:
            raise InvalidInput("journal", str(self.folder), self._broken)

    @contextlib.contextmanager
    def _disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            fix = f"it cannot be written or read ({error.strerror or error}): make room, or name another folder"
            raise InvalidInput("journal", str(self.folder), fix) from None
