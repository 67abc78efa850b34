"""What goes to and fro in a group: fixed structures behind one head; who is meant is a place in the cohort.

    head        b"SVM", the stage u8 (an answer's with the high bit), the terms' digest (32 bytes)
    keys        ask: nothing; answer: place u16, public keys of channel and mask, commitment (32 bytes each), the past
                (16 bytes), length u16 and certificate, count u16 and spans (from u32, to u32), signature over all of
                it and the head
    shares      ask: count u16, and of each that answered, by place, length u32 and its answer; answer: for each other
                of these a sealed pair of shares
    input       ask: who shared (a set), and of each other of these its sealed pair for this member; answer: packed
                values, signature over :func:`masked`
    consent     ask: whose input came (a set); answer: signature over :func:`agreed`
    unmask      ask: that set, who signed it (a set), their signatures; answer: of each that shared, a share of 16 bytes

A set is a bit for each of the cohort, the first the least significant of the first byte. Numbers are little-endian.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from ..keys import SIGNATURE
from ..message import Refused
from .agreement import KEY, SEED
from .ring import packed_size
from .sealed import SEALED
from .terms import STAGES, Terms

_HEAD = struct.Struct("<3sB32s")
PAST = 16  # bytes
_KEYS = struct.Struct(f"<H{KEY}s{KEY}s{KEY}s{PAST}s")
_COUNT = struct.Struct("<H")
_LENGTH = struct.Struct("<I")
_SPAN = struct.Struct("<II")
SPAN = _SPAN.size
CERTIFICATE = 4096  # bytes
SPANS = 1024
_ANSWER = 0x80

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Keys:
    """What a member says of itself at the stage ``keys``. ``spans``: elements, from and to, outside of which its values
    are 0; none: all may be other. ``past``: which earlier rounds have left it something (:mod:`.past`). ``signed``,
    ``signature``: as they came."""

    place: int
    channel: bytes
    mask: bytes
    commitment: bytes
    past: bytes
    certificate: bytes
    spans: tuple[Span, ...]
    signed: bytes
    signature: bytes

    @property
    def digest(self) -> bytes:
        """Of the terms that it was signed for."""
        return bytes(_HEAD.unpack_from(self.signed)[2])


def head(stage: str, digest: bytes, answer: bool) -> bytes:
    return _HEAD.pack(b"SVM", STAGES.index(stage) | (_ANSWER if answer else 0), digest)


def body(data: bytes, stage: str, terms: Terms, answer: bool) -> bytes:
    """What is behind the head. Raises :class:`Refused` for another head, and for more bytes than the stage can have;
    terms of which it is are for the caller to see: :func:`digest`."""
    limit = most_answer(stage, terms) if answer else most_ask(stage, terms)
    if len(data) > limit:
        raise Refused(f"{stage}: {len(data):,} B where at most {limit:,} are due")
    if len(data) < _HEAD.size or data[:4] != head(stage, bytes(KEY), answer)[:4]:
        raise Refused(f"no {'answer' if answer else 'ask'} of the stage {stage}")
    return data[_HEAD.size :]


def digest(data: bytes) -> bytes:
    """Of the terms that ``data``, which :func:`body` read, says it is of."""
    return bytes(_HEAD.unpack_from(data)[2])


def keys_text(
    terms: Terms, place: int, channel: bytes, mask: bytes, commitment: bytes, certificate: bytes,
    spans: Iterable[Span], past: bytes = bytes(PAST),
) -> bytes:  # fmt: skip
    """All of an answer of ``keys`` but its signature, which is over it."""
    spans = tuple(spans)
    return b"".join(
        (
            head("keys", terms.digest, True),
            _KEYS.pack(place, channel, mask, commitment, past),
            _COUNT.pack(len(certificate)),
            certificate,
            _COUNT.pack(len(spans)),
            *(_SPAN.pack(*span) for span in spans),
        )
    )


def keys_of(data: bytes, terms: Terms) -> Keys:
    """Raises :class:`Refused` for what is no answer of ``keys``; who signed it is not seen here."""
    body(data, "keys", terms, True)
    try:
        place, channel, mask, commitment, past = _KEYS.unpack_from(data, _HEAD.size)
        at = _HEAD.size + _KEYS.size
        (length,) = _COUNT.unpack_from(data, at)
        certificate = data[at + _COUNT.size : at + _COUNT.size + length]
        at += _COUNT.size + length
        (count,) = _COUNT.unpack_from(data, at)
        at += _COUNT.size
        end = at + count * _SPAN.size
        if count > SPANS or length > CERTIFICATE or end + SIGNATURE != len(data):
            raise Refused("keys of another length")
        spans = tuple(_SPAN.unpack_from(data, at + i * _SPAN.size) for i in range(count))
    except struct.error:
        raise Refused("keys of another length") from None
    if place >= len(terms.cohort):
        raise Refused("keys of nobody of this group")
    ordered(spans, terms.size)
    return Keys(place, channel, mask, commitment, past, certificate, spans, data[:end], data[end:])


def ordered(spans: tuple[Span, ...], size: int) -> None:
    """Raises :class:`Refused` unless ``spans`` are elements of ``size``, in order and apart."""
    flat = [edge for span in spans for edge in span]
    if len(spans) > SPANS or any(b <= a for a, b in pairwise(flat)) or (flat and flat[-1] > size):
        raise Refused(f"spans that are not up to {SPANS} in order, apart and within {size:,} elements")


def listed(answers: Iterable[bytes]) -> bytes:
    answers = list(answers)
    return _COUNT.pack(len(answers)) + b"".join(_LENGTH.pack(len(answer)) + answer for answer in answers)


def parts(data: bytes) -> list[bytes]:
    """What :func:`listed` joined. Raises :class:`Refused`."""
    try:
        (count,) = _COUNT.unpack_from(data)
        at, found = _COUNT.size, []
        for _ in range(count):
            (length,) = _LENGTH.unpack_from(data, at)
            found.append(data[at + _LENGTH.size : at + _LENGTH.size + length])
            at += _LENGTH.size + length
    except struct.error:
        raise Refused("a list that ends early") from None
    if at != len(data):
        raise Refused("a list of another length")
    return found


def unlisted(data: bytes, terms: Terms) -> list[Keys]:
    """By place, each higher than the one before. Raises :class:`Refused`."""
    found = [keys_of(part, terms) for part in parts(data)]
    places = [keys.place for keys in found]
    if places != sorted(set(places)):
        raise Refused("a list of keys that is not in order, or names one twice")
    return found


def view(asked: bytes, shared: Iterable[int], terms: Terms) -> bytes:
    """What one has seen of a round up to the inputs, as a digest. asked: SHA-256 of what ``shares`` asked, behind the
    head."""
    return hashlib.sha256(asked + packed_set(shared, terms)).digest()


def agreed(terms: Terms, seen: bytes, alive: Iterable[int]) -> bytes:
    """What the survivors sign: the terms, what each has seen of the round, and who they are."""
    return head("consent", terms.digest, True) + seen + packed_set(alive, terms)


def masked(terms: Terms, packed: bytes) -> bytes:
    """What a member signs of its input: changed on its way, it would spoil the sum unseen."""
    return head("input", terms.digest, True) + hashlib.sha256(packed).digest()


def set_size(terms: Terms) -> int:
    """Bytes."""
    return -(-len(terms.cohort) // 8)


def packed_set(places: Iterable[int], terms: Terms) -> bytes:
    return sum(1 << place for place in places).to_bytes(set_size(terms), "little")


def set_of(data: bytes, terms: Terms) -> tuple[int, ...]:
    """Places, in order. Raises :class:`Refused` for a bit of nobody."""
    bits = int.from_bytes(data, "little")
    if len(data) != set_size(terms) or bits >> len(terms.cohort):
        raise Refused("a set of who is not of this group")
    return tuple(place for place in range(len(terms.cohort)) if bits >> place & 1)


def most_ask(stage: str, terms: Terms) -> int:
    """Bytes that an ask of ``stage`` can have."""
    n = len(terms.cohort)
    return (
        _HEAD.size
        + {
            "keys": 0,
            "shares": _COUNT.size + n * (_LENGTH.size + most_answer("keys", terms)),
            "input": set_size(terms) + (n - 1) * SEALED,
            "consent": set_size(terms),
            "unmask": 2 * set_size(terms) + n * SIGNATURE,
        }[stage]
    )


def most_answer(stage: str, terms: Terms) -> int:
    """Bytes that an answer of ``stage`` can have."""
    n = len(terms.cohort)
    return (
        _HEAD.size
        + {
            "keys": _KEYS.size + 2 * _COUNT.size + CERTIFICATE + SPANS * _SPAN.size + SIGNATURE,
            "shares": (n - 1) * SEALED,
            "input": packed_size(terms.size, terms.width) + SIGNATURE,
            "consent": SIGNATURE,
            "unmask": n * SEED,
        }[stage]
    )


def most(stage: str, terms: Terms) -> int:
    """Bytes that an ask or an answer of ``stage`` can have."""
    return max(most_ask(stage, terms), most_answer(stage, terms))
