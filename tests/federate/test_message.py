"""Only what its sender signed, and only fields that are allowed."""

from __future__ import annotations

import hashlib
import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selvedge.federate.keys import Key
from selvedge.federate.message import FIELDS, Refused, made, read, whose

KEY, OTHER = Key(bytes([1] * 32)), Key(bytes([2] * 32))
HEAD = {"run": "r", "task": 3, "client": "a", "weight": 5, "loss": 0.5, "control": False, "have": -1}


def packed(head: Any = HEAD, body: bytes = b"body", key: Key = KEY) -> bytes:
    return made("update", head, body, key).packed()


def test_what_was_signed_is_read() -> None:
    found = read(packed(), KEY.public, 4)
    assert (found.kind, dict(found.head), found.body) == ("update", HEAD, b"body")
    assert found.size == len(packed())
    assert whose(packed()) == "a"


@given(data=st.data())
def test_any_byte_that_changes_is_noticed(data: st.DataObject) -> None:
    sent = bytearray(packed())
    at = data.draw(st.integers(0, len(sent) - 1))
    sent[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(Refused):
        read(bytes(sent), KEY.public, 4)


@given(st.binary(max_size=300))
def test_any_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(Refused):
        read(data, KEY.public, 1000)
    assert whose(data) == ""


@given(st.integers(0, 200))
def test_what_was_cut_off(length: int) -> None:
    with pytest.raises(Refused):
        read(packed()[: min(length, len(packed()) - 1)], KEY.public, 4)


def test_of_another_or_of_nobody() -> None:
    with pytest.raises(Refused, match="not signed by"):
        read(packed(key=OTHER), KEY.public, 4)
    with pytest.raises(Refused, match="nobody who is known"):
        read(packed(), None, 4)
    with pytest.raises(Refused, match="at most 3 are due"):
        read(packed(), KEY.public, 3)


def signed(head: Any) -> bytes:
    """Any head at all, rightly signed: of a device that does not keep to the protocol."""
    text = json.dumps(head).encode()
    top = struct.pack("<3sH", b"SV1", len(text)) + text
    return top + KEY.sign(top + hashlib.sha256(b"").digest())


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"weight": "5"}, "weight is no int"),
        ({"weight": True}, "weight is no int"),
        ({"task": -2}, "task is -2"),
        ({"task": 1 << 64}, "task is"),
        ({"control": 0}, "control is no bool"),
        ({"client": 3}, "client is no str"),
        ({"photo": "x"}, "of 8 fields where there are 7"),
    ],
)
def test_fields_that_do_not_keep_to_the_protocol(change: Any, why: str) -> None:
    assert read(signed(["update", *HEAD.values()]), KEY.public, 0).kind == "update"
    with pytest.raises(Refused, match=why):
        read(signed(["update", *{**HEAD, **change}.values()]), KEY.public, 0)


@pytest.mark.parametrize("head", [[], {}, 3, ["photo", 1], [["update"], 1], [None]])
def test_heads_that_are_none(head: Any) -> None:
    with pytest.raises(Refused, match="of no kind that there is"):
        read(signed(head), KEY.public, 0)


def test_numbers_that_json_does_not_have() -> None:
    with pytest.raises(Refused, match="no JSON"):
        read(signed(["update", *HEAD.values()]).replace(b"0.5", b"NaN"), KEY.public, 0)


def test_what_leaves_a_device_is_a_list() -> None:
    """Whoever adds a field changes this line, and says so in the documentation."""
    assert set(FIELDS["update"]) == {"run", "task", "client", "weight", "loss", "control", "have"}
    assert set(FIELDS["said"]) == {"run", "task", "client", "stage", "have"}
    assert set(FIELDS["refusal"]) == {"run", "task", "client", "why", "of"}
    assert set(FIELDS["poll"]) == {"run", "client", "now"}
    assert set(FIELDS) == {"task", "ask", "learn", "update", "said", "refusal", "poll"}
    with pytest.raises(KeyError, match="has the fields"):
        made("update", {**HEAD, "photo": 1}, b"", KEY)
