"""An authority's folder: what is enrolled, renewed, revoked and handed on, what a crash leaves, and who is refused."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from selvedge.errors import InvalidInput
from selvedge.federate.identity import armour, published, request
from selvedge.federate.identity.authority import DAY, DEVICES, LEDGER, PUBLISHED, Authority, begun, opened
from selvedge.federate.identity.keeping import Keeping
from selvedge.federate.identity.ledger import Ledger
from selvedge.federate.identity.published import Published
from selvedge.federate.identity.trust import Trust
from selvedge.federate.keys import Key
from selvedge.federate.message import Refused

NOW = 1_800_000_000
A, B, C = (Key(bytes([i] * 32)) for i in (11, 12, 13))


def no_pin(token: str) -> str:
    raise AssertionError("no token is asked for")


@contextmanager
def at(folder: Path, days: float = 0) -> Iterator[Authority]:
    with opened(folder, NOW + int(days * DAY), no_pin) as found:
        yield found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with begun(tmp_path / "authority", NOW, no_pin, 30):
        pass
    return tmp_path / "authority"


def asked(name: str, key: Key, before: Key | None = None) -> bytes:
    return request.made(name, "nrf52840", NOW, key, before)


def told(folder: Path) -> Published:
    return published.read(armour.read(armour.AUTHORITY, (folder / PUBLISHED).read_text()))


def believed(folder: Path, days: float = 0) -> Trust:
    found = told(folder)
    return Trust(found.root, [found.packed()], lambda: NOW + days * DAY)


def shown(folder: Path, name: str) -> bytes:
    return armour.read(armour.CREDENTIAL, (folder / "credentials" / f"{name}.pem").read_text())


def test_enrolled_and_revoked(folder: Path) -> None:
    with at(folder) as authority:
        made = authority.sign(asked("a", A), 365, 30)
        authority.sign(asked("b", B), 365, 30)
    assert shown(folder, "a") == made.data
    assert believed(folder).open("a", made.data) == A.public
    before = told(folder)
    with at(folder, 1) as authority:
        assert authority.revoke(["a"], "lost on a train", 30) == [1]
    after = told(folder)
    assert (before.revocations.number, after.revocations.number) == (1, 2)
    assert after.revocations.serials == {1}
    assert not (folder / "credentials" / "a.pem").exists()
    with pytest.raises(Refused, match="was revoked"):
        believed(folder, 1).open("a", made.data)
    assert believed(folder, 1).open("b", shown(folder, "b")) == B.public
    text = (folder / DEVICES).read_text()
    assert (
        f"a {A.public.hex()} nrf52840  # serial 1, 2027-01-14 to 2028-01-15, revoked 2027-01-16: lost on a train"
        in text
    )
    assert f"b {B.public.hex()} nrf52840  # serial 2, 2027-01-14 to 2028-01-15, counts" in text


def test_a_device_takes_another_key(folder: Path) -> None:
    """Which its old one signs; the old credential does not count from then on, and nobody else can take its name."""
    with at(folder) as authority:
        old = authority.sign(asked("a", A), 365, 30).data
        for bad in (asked("a", B), asked("a", B, before=C)):
            with pytest.raises(InvalidInput, match="another key has this name, and has not signed this"):
                authority.sign(bad, 365, 30)
        new = authority.sign(asked("a", B, before=A), 365, 30).data
    trust = believed(folder)
    assert trust.open("a", new) == B.public
    with pytest.raises(Refused, match="was revoked, serial 1"):
        trust.open("a", old)
    with at(folder) as authority, pytest.raises(InvalidInput, match="its key was revoked"):
        authority.sign(asked("a", A, before=B), 365, 30)  # the request of before, or its thief's


def test_a_credential_is_renewed_and_the_earlier_one_counts_until_its_end(folder: Path) -> None:
    with at(folder) as authority:
        old = authority.sign(asked("a", A), 10, 30).data
    with at(folder, 9) as authority:
        new = authority.sign(asked("a", A), 10, 30).data
    assert believed(folder, 9).open("a", old) == believed(folder, 9).open("a", new) == A.public
    with pytest.raises(Refused, match="ended"):
        believed(folder, 11).open("a", old)
    assert believed(folder, 11).open("a", new) == A.public
    with at(folder, 11) as authority:
        assert authority.revoke(["a"], "", 30) == [1, 2]
    assert told(folder).revocations.serials == {2}, "what has ended needs no place in the list"


def test_a_lost_device_is_replaced_only_once_it_is_revoked(folder: Path) -> None:
    with at(folder) as authority:
        authority.sign(asked("a", A), 1, 30)
    with at(folder, 5) as authority:  # and not because its credential has ended meanwhile
        with pytest.raises(InvalidInput, match="revoke it first if the device was lost"):
            authority.sign(asked("a", B), 365, 30)
        authority.revoke(["a"], "lost", 30)
        authority.sign(asked("a", B), 365, 30)
        with pytest.raises(InvalidInput, match=r"its key is that of a: each device has its own"):
            authority.sign(asked("twin", B), 365, 30)


def test_the_authoritys_key_gives_its_place_to_another(folder: Path) -> None:
    with at(folder) as authority:
        old = authority.sign(asked("a", A), 365, 30).data
    trust, first = believed(folder, 2), (folder / "authority.key").read_text()
    with at(folder, 1) as authority:
        authority.rotate(grace=10, life=30)
        new = authority.sign(asked("b", B), 365, 30).data
    assert (folder / "authority.key").read_text() != first
    assert not list(folder.glob("*.next*"))
    assert first.strip() not in "".join(p.read_text() for p in folder.rglob("*") if p.is_file())
    found = told(folder)
    assert len(found.successions) == 1
    with pytest.raises(Refused, match="not trusted here"):
        trust.open("b", new)
    assert trust.learn(found.packed())
    assert trust.open("b", new) == B.public
    assert trust.open("a", old) == A.public
    late = believed(folder, 12)
    with pytest.raises(Refused, match="an authority's key that ended"):
        late.open("a", old)
    with at(folder, 12) as authority:
        again = authority.sign(asked("a", A), 365, 30).data
    assert believed(folder, 12).open("a", again) == A.public


def test_a_crash_in_a_rotation_leaves_one_key_or_the_other(folder: Path) -> None:
    """Before the ledger has it, the new key has never been; after, it signs."""
    made = Keeping(folder, "authority", no_pin).next()
    with at(folder) as authority:
        assert authority.register.key != made.public
        assert not list(folder.glob("*.next*"))
        copy = (folder / "authority.key").read_text()
        authority.rotate(10, 30)
        now = authority.register.key
    os.rename(folder / "authority.key", folder / "authority.next.key")
    (folder / "authority.key").write_text(copy)
    (folder / "authority.key").chmod(0o600)
    with at(folder) as authority:
        assert authority.sign(asked("a", A), 365, 30).authority == now


def test_what_is_made_of_the_ledger_is_made_again(folder: Path) -> None:
    with at(folder) as authority:
        made = authority.sign(asked("a", A), 365, 30)
    for path in (folder / PUBLISHED, folder / DEVICES, folder / "credentials" / "a.pem"):
        path.unlink()
    with at(folder):  # as an end behind the ledger, before these were written
        pass
    assert shown(folder, "a") == made.data
    assert told(folder).revocations.number == 1
    assert f"a {A.public.hex()}" in (folder / DEVICES).read_text()
    with at(folder) as authority:
        authority.revoke([], "", 30)
    assert told(folder).revocations.number == 2


def test_the_ledger_is_only_added_to_and_all_of_it_is_verified(folder: Path) -> None:
    with at(folder) as authority:
        for name, key in (("a", A), ("b", B), ("c", C)):
            authority.sign(asked(name, key), 365, 30)
    path = folder / LEDGER
    good = path.read_bytes()
    lines = good.splitlines(keepends=True)
    with at(folder) as authority:
        authority.revoke(["b"], "", 30)
    assert path.read_bytes().startswith(good)
    entry = json.loads(lines[2])
    other = json.dumps({**entry, "at": entry["at"] + 1}, separators=(",", ":"), sort_keys=True).encode() + b"\n"
    for bad, line in (
        ([lines[0], *lines[2:]], 2), ([lines[0], lines[2], lines[1], lines[3]], 2), ([*lines, lines[3]], 5),
        ([lines[0], lines[1], other, lines[3]], 3), ([b"[]\n"], 1), ([b"7\n"], 1), ([*lines, b"{}\n"], 5),
        ([lines[0], lines[0]], 2), (lines[1:], 1),
    ):  # fmt: skip
        path.write_bytes(b"".join(bad))
        with pytest.raises(InvalidInput, match=f"line {line} is not what the authority wrote"), at(folder):
            pass
    path.write_bytes(good)
    assert len(Ledger(path).entries) == 4


def test_a_line_that_a_crash_cut_off_was_never_said(folder: Path) -> None:
    with at(folder) as authority:
        authority.sign(asked("a", A), 365, 30)
    path = folder / LEDGER
    good = path.read_bytes()
    with at(folder) as authority:
        authority.sign(asked("b", B), 365, 30)
    whole = path.read_bytes()
    for end in range(len(good), len(whole) - 1, 97):
        path.write_bytes(whole[:end])
        with at(folder) as authority:
            assert [e.name for e in authority.devices()] == ["a"]
    path.write_bytes(whole[:-1])
    with at(folder) as authority:
        assert authority.sign(asked("c", C), 365, 30).serial == 2
    assert [c.name for c in Ledger(path).register.credentials.values()] == ["a", "c"]


def test_the_key_is_its_owners_alone_and_no_other_takes_its_place(folder: Path) -> None:
    key = folder / "authority.key"
    assert key.stat().st_mode & 0o077 == 0
    assert folder.stat().st_mode & 0o077 == 0
    key.chmod(0o644)
    with at(folder) as authority, pytest.raises(InvalidInput, match="others may read it"):
        authority.sign(asked("a", A), 365, 30)
    key.write_text("11" * 32)
    key.chmod(0o600)
    with at(folder) as authority, pytest.raises(InvalidInput, match="its ledger is of the key"):
        authority.sign(asked("a", A), 365, 30)
    assert len(Ledger(folder / LEDGER).entries) == 1


def test_what_an_operator_gives_wrongly(folder: Path, tmp_path: Path) -> None:
    with at(folder) as authority:
        for call, said in (
            (lambda: authority.sign(b"junk", 365, 30), "request is not usable: it is no request of this format"),
            (lambda: authority.sign(asked("a", A), 0, 30), "--days is 0"),
            (lambda: authority.sign(asked("a", A), 10**12, 30), "days of a credential"),
            (lambda: authority.revoke(["nobody"], "", 30), "device is nobody: it is not enrolled, or revoked"),
            (lambda: authority.revoke([], "", 0), "--list-days is 0"),
            (lambda: authority.rotate(-1, 30), "--grace is -1"),
        ):
            with pytest.raises(InvalidInput) as caught:
                call()
            assert said in str(caught.value)
        assert len(authority.register.credentials) == 0
        with pytest.raises(InvalidInput, match="another process is at it"), at(folder):
            pass
    with pytest.raises(InvalidInput, match="there is none"), opened(tmp_path / "none", NOW, no_pin):
        pass
    with pytest.raises(InvalidInput, match="there is one already"), begun(folder, NOW, no_pin, 30):
        pass
