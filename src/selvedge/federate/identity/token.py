"""A private key in a PKCS #11 module (a smart card, a secure element, SoftHSM): made there, and never seen here.

It is named by a URI (RFC 7512): pkcs11:token=LABEL;object=LABEL?module-path=/usr/lib/softhsm/libsofthsm2.so. What it
signs is Ed25519 (CKM_EDDSA, PKCS #11 3.0, 6.3): a module without it is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from ...errors import InvalidInput
from ..keys import PUBLIC, SIGNATURE, signed

# CKA_EC_PARAMS of Ed25519: its OID (RFC 8410), or where a module knows only that, its name (PKCS #11 3.0, 2.3.10).
CURVES = bytes.fromhex("06032b6570"), b"\x13\x0cedwards25519"


@dataclass(frozen=True, slots=True)
class Place:
    """``module``: the path of its library. ``token``, ``label``: of the token, and of the key in it."""

    module: str
    token: str
    label: str


def parse(uri: str) -> Place:
    """Raises ``InvalidInput``. A PIN is not taken: an address is seen by everybody on the machine."""
    scheme, _, rest = uri.partition(":")
    path, _, query = rest.partition("?")
    found: dict[str, str] = {}
    for text, mark, known in ((path, ";", ("token", "object", "type")), (query, "&", ("module-path",))):
        for pair in filter(None, text.split(mark)):
            name, equals, value = pair.partition("=")
            if name in ("pin-value", "pin-source"):
                raise InvalidInput("--pkcs11", f"one with {name}", "leave it out: give --pin-file, or type the PIN")
            if not equals or not value or name not in known or name in found:
                fix = "give pkcs11:token=LABEL;object=LABEL?module-path=/usr/lib/MODULE.so, each once"
                raise InvalidInput("--pkcs11", uri, fix)
            found[name] = unquote(value)
    missing = [name for name in ("token", "object", "module-path") if name not in found]
    if scheme != "pkcs11" or missing or found.get("type", "private") != "private":
        fix = f"it has no {missing[0]}: " if scheme == "pkcs11" and missing else ""
        raise InvalidInput("--pkcs11", uri, f"{fix}give pkcs11:token=LABEL;object=LABEL?module-path=/usr/lib/MODULE.so")
    return Place(found["module-path"], found["token"], found["object"])


class TokenKey:
    """A key that stays in its module; the session is open as long as this is."""

    def __init__(self, session: Any, private: Any, public: bytes) -> None:
        self._session, self._private, self.public = session, private, public

    def sign(self, data: bytes) -> bytes:
        from pkcs11 import Mechanism, PKCS11Error

        try:
            return bytes(self._private.sign(data, mechanism=Mechanism.EDDSA))
        except PKCS11Error as error:
            raise InvalidInput("--pkcs11", "the token", f"it does not sign ({_why(error)}): is it there?") from None

    def close(self) -> None:
        self._session.close()


def opened(uri: str, pin: Callable[[str], str], create: bool = False) -> TokenKey:
    """The key that ``uri`` names; with ``create``, where the token has none of that label, a new one, made in it.

    pin: the token's label -> its PIN. Raises ``InvalidInput``, which says what is not there.
    """
    place = parse(uri)
    try:
        import pkcs11
    except ImportError:
        raise InvalidInput("--pkcs11", uri, "python-pkcs11 is missing: pip install 'selvedge[hsm]'") from None
    if not Path(place.module).is_file():
        raise InvalidInput("--pkcs11", uri, f"there is no module {place.module}")
    try:
        found = pkcs11.lib(place.module).get_token(token_label=place.token)
        try:
            session = found.open(rw=create, user_pin=pin(place.token))
        except pkcs11.UserAlreadyLoggedIn:  # by another key of it that is open in this process
            session = found.open(rw=create)
    except pkcs11.NoSuchToken:
        raise InvalidInput("--pkcs11", uri, f"the module has no token {place.token}: make one first") from None
    except (pkcs11.PinIncorrect, pkcs11.PinLenRange, pkcs11.PinInvalid):
        raise InvalidInput("PIN", f"of {place.token}", "it is another one; some tokens lock after three") from None
    except (pkcs11.PKCS11Error, RuntimeError) as error:
        raise InvalidInput("--pkcs11", uri, f"the module does not open ({_why(error)})") from None
    try:
        return _key(uri, place, session, create)
    except BaseException:
        session.close()
        raise


def _key(uri: str, place: Place, session: Any, create: bool) -> TokenKey:
    import pkcs11
    from pkcs11 import Attribute, KeyType, ObjectClass

    of = {Attribute.KEY_TYPE: KeyType.EC_EDWARDS, Attribute.LABEL: place.label}
    private = list(session.get_objects({**of, Attribute.CLASS: ObjectClass.PRIVATE_KEY}))
    public = list(session.get_objects({**of, Attribute.CLASS: ObjectClass.PUBLIC_KEY}))
    if not private and not public and create:
        private, public = ([made] for made in _made(uri, place, session))
    if len(private) != 1 or len(public) != 1:
        said = f"the token has {len(private)} Ed25519 private keys {place.label} and {len(public)} public ones"
        raise InvalidInput("--pkcs11", uri, f"{said}: one of each is needed")
    try:
        point = bytes(public[0][Attribute.EC_POINT])
        # An OCTET STRING, as PKCS #11 has it of all curves, or the bare 32 bytes.
        point = point[2:] if len(point) == PUBLIC + 2 and point[:2] == bytes((4, PUBLIC)) else point
        key = TokenKey(session, private[0], point)
        trial = key.sign(b"selvedge")
        given_away = private[0][Attribute.EXTRACTABLE] or not private[0][Attribute.SENSITIVE]
    except pkcs11.PKCS11Error as error:
        raise InvalidInput("--pkcs11", uri, f"its key cannot be used ({_why(error)})") from None
    if len(point) != PUBLIC or len(trial) != SIGNATURE or not signed(b"selvedge", trial, point):
        raise InvalidInput("--pkcs11", uri, "what it signs is no Ed25519 signature of its public key")
    if given_away:
        raise InvalidInput("--pkcs11", uri, "its key can be taken out of the token: take another, which join makes")
    return key


def _made(uri: str, place: Place, session: Any) -> tuple[Any, Any]:
    """(private, public) of a new key in the token."""
    import pkcs11
    from pkcs11 import Attribute, KeyType, Mechanism

    why = ""
    for curve in CURVES:
        try:
            parameters = session.create_domain_parameters(KeyType.EC_EDWARDS, {Attribute.EC_PARAMS: curve}, local=True)
            stays = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False, Attribute.PRIVATE: True}
            public, private = parameters.generate_keypair(
                mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN, store=True, label=place.label,
                private_template=stays, public_template={Attribute.PRIVATE: False},
            )  # fmt: skip
            return private, public
        except pkcs11.PKCS11Error as error:
            why = _why(error)
    raise InvalidInput("--pkcs11", uri, f"the token makes no Ed25519 key ({why})")


def _why(error: Exception) -> str:
    return str(error) or type(error).__name__
