"""The lines that native/calibrate.c prints, believed only when all of them are there and each has its checksum."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..errors import SelvedgeError

HEADER = "selvedge-calibrate"


class BadReport(SelvedgeError):
    """The lines are not a whole report of the plan that was asked for."""

    def __init__(self, what: str) -> None:
        super().__init__(f"measured lines: {what}; measure again, with the program that `--emit` wrote for this device")


class ForeignReport(BadReport):
    """A whole report, of another plan: no other will come."""


@dataclass(frozen=True, slots=True)
class Report:
    """Seconds: of every program as a whole, and of its kernels in their order, each without the clock's own cost.

    ``floor``: a kernel that took less was too short for this clock.
    """

    programs: tuple[float, ...]
    kernels: tuple[tuple[float, ...], ...]
    floor: float


def crc16(data: bytes) -> int:
    """CRC-16/CCITT-FALSE: polynomial 0x1021, start 0xFFFF."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1) ^ (0x11021 if crc & 0x8000 else 0)
    return crc


def fields(line: str) -> list[str] | None:
    """The words of one line, None where its checksum is wrong or missing."""
    body, star, check = line.rstrip("\r\n").rpartition("*")
    if not star or len(check) != 4 or f"{crc16(body.encode('utf-8', 'replace')):04x}" != check:
        return None
    return body.split()


def parse(lines: Iterable[str], digest: str, kernels: Sequence[int]) -> Report:
    """``lines``: from the header to "end". ``kernels``: how many the program at each position has.

    Raises :class:`BadReport` for a damaged, incomplete or foreign report.
    """
    rows = []
    for number, line in enumerate(lines):
        words = fields(line)
        if words is None:
            raise BadReport(f"line {number + 1} is damaged ({line.strip()[:40]!r})")
        rows.append(words)
    head = rows[0] if rows else []
    if len(head) != 7 or head[:2] != [HEADER, "1"]:
        raise BadReport("there is no header")
    if head[2] != digest:
        raise ForeignReport(f"they are of plan {head[2]}, not of {digest}")
    hz, empty, programs, total = _whole(head[3:])
    if (programs, total) != (len(kernels), sum(kernels)) or hz <= 0:
        raise BadReport(f"they count {programs} programs and {total} kernels at {hz} Hz")
    # The end counts the lines before it, the header included.
    if rows[-1] != ["end", str(len(rows) - 1)] or len(rows) != 2 + programs + total:
        raise BadReport(f"{len(rows)} lines, {2 + programs + total} are due")
    at, whole, each = 1, [], []
    for p, count in enumerate(kernels):
        whole.append(_ticks(rows[at], ["p", str(p)]) / hz)
        times = [_ticks(rows[at + 1 + k], ["k", str(p), str(k)]) for k in range(count)]
        each.append(tuple(max(0, t - empty) / hz for t in times))
        at += 1 + count
    return Report(tuple(whole), tuple(each), 5 * max(1, empty) / hz)


def _ticks(words: list[str], expected: list[str]) -> int:
    if len(words) != len(expected) + 1 or words[:-1] != expected:
        raise BadReport(f"{' '.join(expected)} is due where {' '.join(words)} stands")
    ticks = _whole(words[-1:])[0]
    if ticks >= 0xFFFFFFFF:
        raise BadReport(f"{' '.join(expected)} was never run")
    return ticks


def _whole(words: list[str]) -> list[int]:
    try:
        return [int(word) for word in words]
    except ValueError:
        raise BadReport(f"{' '.join(words)} are not numbers") from None
