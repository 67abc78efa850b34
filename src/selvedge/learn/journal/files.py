"""The files of a journal: their names, their first bytes, and what of them is whole.

A file begins with "SVJL" (records) or "SVJS" (one snapshot), the version u32, its generation u64, the bytes of the
largest frame of a record until then u64, and the CRC-32 u32 of these; frames follow. Log g holds the records behind
snapshot g; log 0 those from the beginning on.
"""

from __future__ import annotations

import contextlib
import os
import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from ...errors import InvalidInput
from .record import FRAME, is_whole

VERSION = 1
LOCK = "lock"
HEADER = struct.Struct("<4sIQQI")
_PLAIN = struct.Struct("<4sIQQ")
_NAME = re.compile(r"(log|snapshot)-(\d{8})(\.new)?")
_MAGIC = {"log": b"SVJL", "snapshot": b"SVJS"}


@dataclass(frozen=True, slots=True)
class Scan:
    """``count`` whole frames, which end at byte ``end`` of ``size``. ``fault``: what ends them, "" where the file does;
    then ``end`` is 0 where there was none. ``largest``: bytes of the largest frame, of those before it too."""

    count: int
    end: int
    size: int
    largest: int
    fault: str


def path(folder: Path, kind: str, generation: int) -> Path:
    return folder / f"{kind}-{generation:08d}"


def listed(folder: Path) -> tuple[dict[str, list[int]], list[Path]]:
    """The generations of the logs and of the snapshots, ascending; and what was left half-written.

    Raises ``InvalidInput`` for anything that is no journal's: it is not ours to touch.
    """
    found: dict[str, list[int]] = {"log": [], "snapshot": []}
    left: list[Path] = []
    for entry in sorted(folder.iterdir()):
        match = _NAME.fullmatch(entry.name)
        if match is None or not entry.is_file():
            if entry.name in (LOCK, "lost+found"):
                continue
            raise InvalidInput("journal", str(folder), f"{entry.name} in it is of something else: name another folder")
        if match[3]:
            left.append(entry)
        else:
            found[match[1]].append(int(match[2]))
    return found, left


def header(kind: str, generation: int, largest: int) -> bytes:
    plain = _PLAIN.pack(_MAGIC[kind], VERSION, generation, largest)
    return plain + struct.pack("<I", crc32(plain))


def largest(file: Path, kind: str, generation: int) -> int | str:
    """What the first bytes say of the records before; or what is wrong with them.

    Raises ``InvalidInput`` for a file of another version.
    """
    with file.open("rb") as opened:
        first = opened.read(HEADER.size)
    if len(first) < HEADER.size:
        return "torn"
    magic, version, number, before, check = HEADER.unpack(first)
    if check != crc32(first[: _PLAIN.size]) or magic != _MAGIC[kind] or number != generation:
        return "damaged"
    if version != VERSION:
        raise InvalidInput(
            "journal", str(file), f"it is of format {version}, this version reads {VERSION}: name another folder"
        )
    return int(before)


def frames(file: Path, kind: str, generation: int) -> Iterator[tuple[int, bytes] | str]:
    """Each whole frame as (number, payload); then, where the file does not end behind one, what is wrong with the next.

    Raises ``InvalidInput`` for a file of another version.
    """
    before = largest(file, kind, generation)
    if isinstance(before, str):
        yield before
        return
    left = file.stat().st_size - HEADER.size
    with file.open("rb") as opened:
        opened.seek(HEADER.size)
        while left:
            about = opened.read(FRAME.size)
            if len(about) < FRAME.size:
                yield "torn"
                return
            number, length, check = FRAME.unpack(about)
            left -= FRAME.size
            if length > left:  # before so much is read: the length itself may be what is damaged
                yield "torn"
                return
            payload = opened.read(length)
            if not is_whole(number, length, check, payload):
                yield "damaged"
                return
            left -= length
            yield number, payload


def scan(file: Path, generation: int, number: int) -> Scan:
    """How much of a log is whole. ``number``: of its first frame; they go up by one."""
    size = file.stat().st_size
    before = largest(file, "log", generation)
    count, end, most, fault = 0, HEADER.size, before if isinstance(before, int) else 0, ""
    for found in frames(file, "log", generation):
        if isinstance(found, str):
            fault = found
        elif found[0] != number + count:
            fault = "damaged"
        if fault:
            break
        count += 1
        end += FRAME.size + len(found[1])
        most = max(most, FRAME.size + len(found[1]))
    # Where nothing is whole the header may be what is not: it is written again.
    return Scan(count, 0 if fault and not count else end, size, most, fault)


def write(file: Path, parts: Sequence[bytes | memoryview], mode: int) -> Path:
    """``parts`` under a temporary name beside ``file``, on the disk; :func:`place` gives it its own."""
    temporary = file.with_name(f"{file.name}.new")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        with os.fdopen(handle, "wb", buffering=0) as opened:
            for part in parts:
                put(opened.fileno(), part)
            os.fsync(opened.fileno())
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    return temporary


def place(temporary: Path, file: Path) -> None:
    os.replace(temporary, file)
    sync(file.parent)


def put(handle: int, part: bytes | memoryview) -> None:
    """All of ``part``: a full disk may take some of it before it says so."""
    view = memoryview(part)
    while view:
        view = view[os.write(handle, view) :]


def to_owner(folder: Path) -> None:
    """The folder, and each file in it: nobody but their owner reads them from now on."""
    folder.chmod(0o700)
    for entry in folder.iterdir():
        if entry.is_file():
            entry.chmod(0o600)


def sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
