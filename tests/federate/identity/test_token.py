"""Keys that are made in a PKCS #11 token and stay there: SoftHSM's Ed25519, against libsodium."""

from __future__ import annotations

from pathlib import Path

import pytest

from selvedge.errors import InvalidInput
from selvedge.federate.identity import armour, published, request
from selvedge.federate.identity import token as tokens
from selvedge.federate.identity.authority import begun, opened
from selvedge.federate.identity.keeping import Keeping
from selvedge.federate.identity.trust import Trust
from selvedge.federate.keys import Key, signed
from selvedge.federate.message import made, read

from .hsm import MODULE, PIN, token, uri

__all__ = ["token"]
NOW = 1_800_000_000
pytestmark = pytest.mark.usefixtures("token")


def pin(of: str) -> str:
    assert of == "tests"
    return PIN


def test_what_a_token_signs_is_a_message_like_any_other() -> None:
    key = tokens.opened(uri("device-1"), pin, create=True)
    for data in (b"", b"x", bytes(100_000)):
        assert signed(data, key.sign(data), key.public)
    assert not signed(b"other", key.sign(b"x"), key.public)
    poll = made("poll", {"run": "r", "client": "kitchen", "now": 1.0}, b"", key)
    assert read(poll.packed(), key.public, 0).head["client"] == "kitchen"
    key.close()
    again = tokens.opened(uri("device-1"), pin)
    assert again.public == key.public
    again.close()


def test_the_private_key_was_made_in_the_token_and_does_not_leave_it() -> None:
    import pkcs11

    key = tokens.opened(uri("device-2"), pin, create=True)
    private = key._private
    assert private[pkcs11.Attribute.SENSITIVE]
    assert private[pkcs11.Attribute.NEVER_EXTRACTABLE]
    assert private[pkcs11.Attribute.ALWAYS_SENSITIVE]
    assert private[pkcs11.Attribute.LOCAL]
    with pytest.raises(pkcs11.AttributeSensitive):
        private[pkcs11.Attribute.VALUE]
    key.close()


def test_a_key_that_can_be_taken_out_is_refused() -> None:
    import pkcs11
    from pkcs11 import Attribute, KeyType, Mechanism

    with pkcs11.lib(MODULE).get_token(token_label="tests").open(rw=True, user_pin=PIN) as session:
        parameters = session.create_domain_parameters(
            KeyType.EC_EDWARDS, {Attribute.EC_PARAMS: tokens.CURVES[0]}, local=True
        )
        parameters.generate_keypair(
            mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN, store=True, label="loose",
            private_template={Attribute.EXTRACTABLE: True, Attribute.SENSITIVE: False},
        )  # fmt: skip
    with pytest.raises(InvalidInput, match="its key can be taken out of the token"):
        tokens.opened(uri("loose"), pin)


def test_an_authority_in_a_token(tmp_path: Path) -> None:
    """Its key and the one that follows are there; in its folder is where they are, and no PIN."""
    folder, device = tmp_path / "authority", Key()
    with begun(folder, NOW, pin, 30, uri("authority-1")) as authority:
        root = authority.register.root
    with opened(folder, NOW, pin) as authority:
        old = authority.sign(request.made("a", "", NOW, device), 365, 30).data
        with pytest.raises(InvalidInput, match="name where the next one is to be"):
            authority.rotate(30, 30)
        new = authority.rotate(30, 30, uri("authority-2"))
    with opened(folder, NOW, pin) as authority:
        made_ = authority.sign(request.made("b", "", NOW, Key()), 365, 30)
        assert made_.authority == new == authority.register.key != root
    assert (folder / "authority.pkcs11").read_text().strip() == uri("authority-2")
    assert not (folder / "authority.key").exists()
    assert PIN not in "".join(p.read_text() for p in folder.rglob("*") if p.is_file())
    found = published.read(armour.read(armour.AUTHORITY, (folder / "authority.pem").read_text()))
    trust = Trust(root, [found.packed()], lambda: NOW)
    assert trust.open("a", old) == device.public


def test_a_device_moves_its_key_into_a_token(tmp_path: Path) -> None:
    """From a file, by a request that the file's key signs."""
    keys = Keeping(tmp_path, "device", pin)
    old = keys.present()
    new = keys.next(uri("device-3"))
    asked = request.read(request.made("a", "", NOW, new, old))
    assert (asked.public, asked.before) == (new.public, old.public)
    keys.advance()
    assert keys.present().public == new.public
    keys.close()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["device.pkcs11"]


BAD = {
    "pkcs11:token=tests;object=x?module-path=/no/module.so": "there is no module /no/module.so",
    f"pkcs11:token=none;object=x?module-path={MODULE}": "the module has no token none",
    f"pkcs11:token=tests;object=none?module-path={MODULE}": "the token has 0 Ed25519 private keys none and 0 public",
    f"pkcs11:token=tests?module-path={MODULE}": "it has no object: give pkcs11:token=LABEL;object=LABEL?module-path=",
    f"pkcs11:token=tests;object=x?module-path={MODULE}&pin-value=1": "--pkcs11 is one with pin-value: leave it out",
    f"pkcs11:token=tests;token=x;object=x?module-path={MODULE}": "each once",
    "file:key": "give pkcs11:token=LABEL;object=LABEL?module-path=/usr/lib/MODULE.so",
    "pkcs11:token=tests;object=x?module-path=/etc/hostname": "the module does not open",
}


@pytest.mark.parametrize("given", BAD)
def test_an_address_that_leads_nowhere(given: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        tokens.opened(given, pin)
    assert BAD[given] in str(caught.value)
    assert "pin-value=1" not in str(caught.value)


def test_a_wrong_pin() -> None:
    with pytest.raises(InvalidInput, match="PIN is of tests: it is another one") as caught:
        tokens.opened(uri("x"), lambda token: "00000000")
    assert "00000000" not in str(caught.value)


def test_names_are_read_as_the_standard_writes_them() -> None:
    found = tokens.parse("pkcs11:token=My%20token;object=a%3Bb;type=private?module-path=/m.so")
    assert found == tokens.Place("/m.so", "My token", "a;b")
