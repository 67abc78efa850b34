"""What an authority signs is read as it was signed; anything else is refused, and nothing but refused."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selvedge.errors import InvalidInput
from selvedge.federate.allowed import NAME
from selvedge.federate.identity import armour, credential, published, request, revocations, succession
from selvedge.federate.identity.published import Published
from selvedge.federate.keys import Key
from selvedge.federate.message import Refused

AUTHORITY, NEXT, DEVICE, OLD = (Key(bytes([i] * 32)) for i in range(1, 5))
CREDENTIAL = credential.made("kitchen", DEVICE.public, "nrf52840", 7, 1000, 2000, AUTHORITY).data
REQUEST = request.made("kitchen", "nrf52840", 900, DEVICE, OLD)
FIRST = request.made("kitchen", "", 900, DEVICE)
LIST = revocations.made(3, 1000, 2000, [5, 1, 9], AUTHORITY)
STEP = succession.made(1, 1000, 1500, AUTHORITY, NEXT)
OF_NEXT = revocations.made(4, 1000, 2000, [5], NEXT)
PUBLISHED = Published(AUTHORITY.public, (STEP,), OF_NEXT).packed()
READERS: dict[str, tuple[Callable[[bytes], Any], bytes]] = {
    "credential": (credential.read, CREDENTIAL),
    "request": (request.read, REQUEST),
    "first request": (request.read, FIRST),
    "revocations": (revocations.read, LIST.data),
    "succession": (succession.read, STEP.data),
    "published": (published.read, PUBLISHED),
}
names = st.text("abcXYZ019", min_size=1, max_size=32).map(lambda text: text + "._-"[: len(text) % 4])


@given(names, st.one_of(st.just(""), names), st.integers(0, 2**64 - 1), st.integers(0, 2**36), st.integers(1, 2**36))
def test_what_was_signed_is_read(name: str, profile: str, serial: int, begins: int, life: int) -> None:
    made = credential.made(name, DEVICE.public, profile, serial, begins, begins + life, AUTHORITY)
    assert credential.read(made.data) == made
    assert (made.name, made.public, made.authority) == (name, DEVICE.public, AUTHORITY.public)
    assert len(made.data) <= credential.MOST
    found = request.read(request.made(name, profile, begins, DEVICE, OLD))
    assert (found.name, found.profile, found.public, found.before) == (name, profile, DEVICE.public, OLD.public)


def test_lists_and_successions_are_read_as_they_were_signed() -> None:
    assert revocations.read(LIST.data) == LIST
    assert LIST.serials == {1, 5, 9}
    assert succession.read(STEP.data) == STEP
    found = published.read(PUBLISHED)
    assert (found.root, found.key, found.revocations) == (AUTHORITY.public, NEXT.public, OF_NEXT)
    assert found.packed() == PUBLISHED
    assert request.read(FIRST).before is None


@pytest.mark.parametrize("kind", READERS)
@given(data=st.data())
@settings(max_examples=60)
def test_any_byte_that_changes_is_noticed(kind: str, data: st.DataObject) -> None:
    read, good = READERS[kind]
    sent = bytearray(good)
    at = data.draw(st.integers(0, len(sent) - 1))
    sent[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(Refused):
        read(bytes(sent))


@pytest.mark.parametrize("kind", READERS)
def test_every_truncation_and_every_addition_is_refused(kind: str) -> None:
    read, good = READERS[kind]
    for end in range(len(good)):
        with pytest.raises(Refused):
            read(good[:end])
    with pytest.raises(Refused):
        read(good + b"\0")


@pytest.mark.parametrize("kind", READERS)
@given(data=st.data())
@settings(max_examples=60)
def test_any_bytes_are_refused(kind: str, data: st.DataObject) -> None:
    """Also behind the right first bytes."""
    read, good = READERS[kind]
    start = data.draw(st.sampled_from([b"", good[:4], good[:-64]]))
    with pytest.raises(Refused):
        read(start + data.draw(st.binary(max_size=200)))


@given(st.binary(min_size=2, max_size=140), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_what_an_authority_signed_that_is_no_credential(rest: bytes, begins: int, ends: int) -> None:
    """The parser behind the signature: a reader of a bad authority's may be refused, never break."""
    head = struct.pack("<4sQQQ32s32s", b"SVC1", 1, begins, ends, DEVICE.public, AUTHORITY.public) + rest
    try:
        found = credential.read(head + AUTHORITY.sign(head))
    except Refused:
        return
    assert NAME.fullmatch(found.name)
    assert found.begins < found.ends


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.lists(st.integers(0, 2**64 - 1), max_size=5))
def test_what_an_authority_signed_that_is_no_list(issued: int, until: int, serials: list[int]) -> None:
    head = struct.pack(
        f"<4sQQQ32sI{len(serials)}Q", b"SVR1", 1, issued, until, AUTHORITY.public, len(serials), *serials
    )
    try:
        found = revocations.read(head + AUTHORITY.sign(head))
    except Refused:
        return
    assert sorted(found.serials) == serials
    assert found.issued < found.until


def test_what_is_of_one_kind_is_none_of_another() -> None:
    """No signature of an authority or a device counts for what it was not given for."""
    for kind, (read, _) in READERS.items():
        for other, (_, good) in READERS.items():
            if other.split()[-1] != kind.split()[-1]:
                with pytest.raises(Refused):
                    read(good)
                with pytest.raises(Refused):
                    read(READERS[kind][1][:4] + good[4:])


def test_a_request_needs_the_key_that_it_is_for() -> None:
    """Nobody asks for a credential of another's key, and nobody takes a device's place without its earlier key."""
    other = Key(bytes([9] * 32))
    body = len(FIRST) - 128
    for signed in (
        FIRST[:body] + other.sign(FIRST[:body]) + bytes(64),
        REQUEST[:-64] + other.sign(REQUEST[:-64]),
        REQUEST[:-64] + bytes(64),
        FIRST[:-64] + other.sign(FIRST[:-64]),
    ):
        with pytest.raises(Refused):
            request.read(signed)


def test_a_chain_hangs_together() -> None:
    third = Key(bytes([7] * 32))
    back = succession.made(2, 1000, 1500, NEXT, AUTHORITY)
    apart = succession.made(2, 1000, 1500, third, DEVICE)
    second = succession.made(2, 1000, 1500, NEXT, third)
    listed = revocations.made(5, 1000, 2000, [], third)
    assert published.read(Published(AUTHORITY.public, (STEP, second), listed).packed()).key == third.public
    for chain, of in (
        ((STEP, back), LIST), ((STEP, apart), LIST), ((second,), listed), ((STEP,), LIST), ((), OF_NEXT),
        ((succession.made(2, 1000, 1500, AUTHORITY, NEXT),), OF_NEXT),
    ):  # fmt: skip
        with pytest.raises(Refused):
            published.read(Published(AUTHORITY.public, chain, of).packed())


def test_text_is_read_back_however_it_was_sent() -> None:
    text = armour.wrapped(armour.CREDENTIAL, CREDENTIAL)
    assert armour.read(armour.CREDENTIAL, text) == CREDENTIAL
    assert armour.read(armour.CREDENTIAL, "\n " + text.replace("\n", "\r\n")) == CREDENTIAL
    with pytest.raises(Refused, match="a SELVEDGE CREDENTIAL where a SELVEDGE REQUEST is due"):
        armour.read(armour.REQUEST, text)


@given(st.text(max_size=80), st.booleans())
def test_any_text_is_refused(text: str, framed: bool) -> None:
    whole = f"-----BEGIN SELVEDGE REQUEST-----\n{text}\n-----END SELVEDGE REQUEST-----\n" if framed else text
    try:
        armour.read(armour.REQUEST, whole)
    except Refused:
        return
    assert framed


def test_what_cannot_be_signed() -> None:
    for name, profile, begins, ends in (("", "", 0, 1), ("a b", "", 0, 1), ("a", "ü", 0, 1), ("a", "", 5, 5)):
        with pytest.raises(InvalidInput):
            credential.made(name, DEVICE.public, profile, 1, begins, ends, AUTHORITY)
    with pytest.raises(InvalidInput, match="at most 65,536"):
        revocations.made(1, 0, 1, range(1 << 17), AUTHORITY)
