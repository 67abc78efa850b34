"""``selvedge federate authority``, and a run of whom it vouches for, as processes: one device's key is in a token."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from selvedge.federate.identity import armour, credential, request
from tests.face.command import Result, fresh, run
from tests.face.test_federate import Place, lines, place
from tests.federate.identity.hsm import PIN, token, uri

__all__ = ["place", "token"]
JOIN, AUTHORITY = ("federate", "join"), ("federate", "authority")


@pytest.fixture
def served(place: Path) -> Iterator[Place]:
    made = Place(place)
    yield made
    made.end()


def done(found: Result) -> str:
    assert found.code == 0, found.err
    return found.out


def test_devices_of_an_authority_learn_together_and_the_server_has_no_list(served: Place, token: Path) -> None:
    folder = served.folder
    (folder / "pin").write_text(f"{PIN}\n")
    (folder / "pin").chmod(0o600)
    root = json.loads(done(run(*AUTHORITY, "init", "ca", "--json", cwd=folder)))["authority"]
    serve = served.started(
        "serve", "net.py:make", "--data", "digits.npz", "--device", "nrf52840", "--rounds", "2", "--per-round", "2",
        "--least", "2", "--lr", "0.1", "--authority", "ca/authority.pem", "--out", "run", "--port", "0", "--json",
        log="serve.log",
    )  # fmt: skip
    url = served.url()
    kit = folder / "run" / "devices" / "nrf52840"
    assert json.loads((kit / "invitation.json").read_text())["authority"] == root
    in_token = ("--pkcs11", uri("kitchen"), "--pin-file", "pin")
    for i, (name, more) in enumerate((("kitchen", in_token), ("cellar", ()))):
        enrol = (*JOIN, "--enrol", "--store", f"state{i}", "--name", name, "--device", str(kit), *more)
        line = done(fresh(*enrol, cwd=folder))
        signed = run(*AUTHORITY, "sign", "ca", f"state{i}/request.pem", "--yes", cwd=folder)
        assert f"{name}: serial {i + 1}, until " in done(signed)
        assert signed.err == line, "the key that the device printed is the one that is signed"
    joined = []
    for i, (name, more) in enumerate((("kitchen", in_token[2:]), ("cellar", ()))):
        arguments = (url, "--device", str(kit), "--data", f"own{i}.npz", "--store", f"state{i}", *more)
        given = ("--credential", f"ca/credentials/{name}.pem", "--json")
        joined.append(served.started("join", *arguments, *given, log=f"{i}.log", torch=False))
    assert serve.wait(200) == 0, served.said("serve.log")
    assert [d.wait(60) for d in joined] == [0, 0], served.said("0.log") + served.said("1.log")
    end = json.loads(done(run("federate", "status", "run", "--json", cwd=folder)))
    assert (end["phase"], end["round"], end["seen"]) == ("done", 2, 2)
    assert not (folder / "run" / "allowed.txt").exists()
    assert sorted(p.name for p in (folder / "run" / "credentials").iterdir()) == ["cellar.pem", "kitchen.pem"]
    assert not (folder / "state0" / "device.key").exists()
    assert (folder / "state0" / "device.pkcs11").read_text().strip() == uri("kitchen")
    secrets = [PIN, *((folder / own).read_text().strip() for own in ("state1/device.key", "ca/authority.key"))]
    for path in folder.rglob("*"):
        if path.is_file() and path.name not in ("pin", "device.key", "authority.key"):
            data = path.read_bytes()
            assert not any(secret.encode() in data for secret in secrets), path
    assert lines(served.said("1.log"))[-1]["ended"] == "over"
    known = f"authority-{root[:16]}.pem"
    assert (folder / "state0" / known).read_text() == (folder / "ca" / "authority.pem").read_text()


def test_a_device_and_its_authority_from_the_first_key_to_the_last(place: Path) -> None:
    """Enrolled, renewed by a key that the old one signed, revoked; the authority's own key gives its place to another;
    what is given wrongly is one line."""
    for arguments, said in (
        (("sign", "ca", "r.pem", "--yes"), "request is r.pem: it cannot be read"),
        (("list", "ca"), "authority is ca: there is none"),
        (("init", "ca", "--list-days", "0"), "--list-days is 0"),
        (("init", "ca", "--pkcs11", "file:x"), "--pkcs11 is file:x: give pkcs11:token=LABEL"),
    ):
        found = run(*AUTHORITY, *arguments, cwd=place)
        assert (found.code, said in found.err, len(found.err.splitlines())) == (2, True, 1), found.err
    assert "compare them" in done(run(*AUTHORITY, "init", "ca", cwd=place))
    store = ("--store", "s", "--name", "kitchen")
    found = run(*JOIN, "--enrol", "--renew", *store, cwd=place)
    assert "--renew is s: there is no key yet" in found.err
    first = done(run(*JOIN, "--enrol", *store, cwd=place))
    found = run(*AUTHORITY, "sign", "ca", "s/request.pem", cwd=place)
    assert (found.code, "--yes is missing: compare each key" in found.err) == (2, True)
    done(run(*AUTHORITY, "sign", "ca", "s/request.pem", "--yes", cwd=place))
    take = (*JOIN, "--enrol", *store, "--credential", "ca/credentials/kitchen.pem")
    assert done(run(*take, cwd=place)) == first
    second = json.loads(done(run(*JOIN, "--enrol", "--renew", *store, "--json", cwd=place)))
    assert second["key"] != first.split()[1]
    asked = request.read(armour.read(armour.REQUEST, (place / second["request"]).read_text()))
    assert (asked.public.hex(), asked.before and asked.before.hex()) == (second["key"], first.split()[1])
    # Until the credential has come the old key is the device's.
    assert done(run(*JOIN, "--enrol", *store, cwd=place)) == first
    done(run(*JOIN, "--enrol", "--renew", *store, cwd=place))
    done(run(*AUTHORITY, "sign", "ca", "s/request.pem", "--yes", cwd=place))
    assert done(run(*take, cwd=place)).split()[1] == second["key"]
    assert stat.S_IMODE((place / "s" / "device.key").stat().st_mode) == 0o600
    assert first.split()[1] not in (place / "s" / "credential.pem").read_text()
    told = json.loads(done(run(*AUTHORITY, "list", "ca", "--json", cwd=place)))
    assert [d["state"].split(" ")[0] for d in told["devices"]] == ["revoked", "counts"]
    assert told["devices"][1]["key"] == second["key"]
    rotated = json.loads(done(run(*AUTHORITY, "rotate", "ca", "--json", cwd=place)))
    done(run(*JOIN, "--enrol", *store, cwd=place))
    done(run(*AUTHORITY, "sign", "ca", "s/request.pem", "--yes", cwd=place))
    signed = credential.read(armour.read(armour.CREDENTIAL, (place / "ca/credentials/kitchen.pem").read_text()))
    assert signed.authority.hex() == rotated["key"] != told["authority"]
    assert "2 credentials revoked" in done(run(*AUTHORITY, "revoke", "ca", "kitchen", "--why", "sold", cwd=place))
    shown = done(run(*AUTHORITY, "list", "ca", cwd=place))
    assert shown.count("revoked") == 4  # three credentials, and the list
    assert ": sold" in shown
    other = run(*JOIN, "--enrol", "--store", "t", "--name", "attic", "--credential", "s/credential.pem", cwd=place)
    assert "it is of kitchen, key " in other.err
    served = run("federate", "serve", "net.py:make", "--out", "r", "--authority", "net.py", cwd=place)
    assert "--authority is net.py: it cannot be read" in served.err
    assert not (place / "r").exists()


def test_a_pin_is_in_a_file_of_its_owner_or_typed(place: Path, token: Path) -> None:
    (place / "open").write_text("1234")
    (place / "open").chmod(0o644)
    enrol = (*JOIN, "--enrol", "--store", "s", "--pkcs11", uri("pin"))
    for more, said in (
        (("--pin-file", "none"), "--pin-file is none: it cannot be read"),
        (("--pin-file", "open"), "--pin-file is open: others may read it"),
        ((), "--pin-file is missing: the token tests wants its PIN"),
    ):
        found = fresh(*enrol, *more, cwd=place)
        assert (found.code, said in found.err) == (2, True), found.err
        assert "1234" not in found.err
