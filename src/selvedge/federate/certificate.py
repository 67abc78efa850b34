"""A server's own certificate, where no authority gives it one: X.509 v3 (RFC 5280), signed by itself with Ed25519
(RFC 8410). Its devices are given it beforehand and trust nothing else."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from ..errors import InvalidInput
from .keys import Key

DAYS = 3650
ED25519 = (1, 3, 101, 112)
COMMON_NAME = (2, 5, 4, 3)
ALTERNATIVE, BASIC, USAGE, EXTENDED, SUBJECT_KEY, AUTHORITY_KEY = (
    (2, 5, 29, 17), (2, 5, 29, 19), (2, 5, 29, 15), (2, 5, 29, 37), (2, 5, 29, 14), (2, 5, 29, 35)
)  # fmt: skip
SERVER = (1, 3, 6, 1, 5, 5, 7, 3, 1)  # the purpose: a TLS server
LABEL = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)")


def self_signed(hosts: Sequence[str], key: Key, now: datetime, serial: int) -> str:
    """PEM for a server that is reached as ``hosts``, names or addresses, from a day before ``now`` for ten years.

    serial: unique to the key, positive, below 2**159. Raises ``InvalidInput`` for what is no host.
    """
    names = b"".join(_alternative(host) for host in hosts)
    if not names:
        raise InvalidInput("--host", "none", "give the name or address that devices call")
    who = _sequence(_set(_sequence(_oid(COMMON_NAME), _tlv(0x0C, hosts[0][:64].encode()))))
    identifier = hashlib.sha1(key.public).digest()  # RFC 5280, 4.2.1.2 (1): a name of the key, nothing is proven by it
    algorithm = _sequence(_oid(ED25519))
    extensions = _sequence(
        _extension(BASIC, _sequence(_tlv(0x01, b"\xff")), critical=True),  # it vouches for itself
        _extension(USAGE, _tlv(0x03, b"\x02\x84"), critical=True),  # digitalSignature, keyCertSign
        _extension(EXTENDED, _sequence(_oid(SERVER))),
        _extension(SUBJECT_KEY, _tlv(0x04, identifier)),
        _extension(AUTHORITY_KEY, _sequence(_tlv(0x80, identifier))),
        _extension(ALTERNATIVE, _tlv(0x30, names)),
    )
    begin = now.astimezone(UTC) - timedelta(days=1)
    said = _sequence(
        _tlv(0xA0, _integer(2)), _integer(serial), algorithm, who,
        _sequence(_time(begin), _time(begin + timedelta(days=DAYS))), who,
        _sequence(algorithm, _tlv(0x03, b"\0" + key.public)), _tlv(0xA3, extensions),
    )  # fmt: skip
    return _pem("CERTIFICATE", _sequence(said, algorithm, _tlv(0x03, b"\0" + key.sign(said))))


def check(host: str) -> None:
    """Raises ``InvalidInput`` for what is neither a name nor an address."""
    _alternative(host)


def private(key: Key) -> str:
    """PEM of the private key, PKCS #8 (RFC 8410, section 7)."""
    inner = _tlv(0x04, _tlv(0x04, key.secret))
    return _pem("PRIVATE KEY", _sequence(_integer(0), _sequence(_oid(ED25519)), inner))


def _alternative(host: str) -> bytes:
    try:
        return _tlv(0x87, ipaddress.ip_address(host).packed)
    except ValueError:
        pass
    if len(host) > 253 or not all(LABEL.fullmatch(part) for part in host.split(".")):
        raise InvalidInput("--host", host or "empty", "give a name or an address, as gateway.local or 192.168.1.5")
    return _tlv(0x82, host.encode())


def _extension(kind: Sequence[int], value: bytes, critical: bool = False) -> bytes:
    return _sequence(_oid(kind), *([_tlv(0x01, b"\xff")] if critical else []), _tlv(0x04, value))


def _tlv(tag: int, value: bytes) -> bytes:
    """DER: a tag, the length, the value."""
    size = len(value)
    if size < 0x80:
        return bytes((tag, size)) + value
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + value


def _sequence(*parts: bytes) -> bytes:
    return _tlv(0x30, b"".join(parts))


def _set(*parts: bytes) -> bytes:
    return _tlv(0x31, b"".join(parts))


def _integer(value: int) -> bytes:
    return _tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _oid(parts: Sequence[int]) -> bytes:
    made = bytearray([40 * parts[0] + parts[1]])
    for part in parts[2:]:
        digits = [part & 0x7F]
        while part := part >> 7:
            digits.append(0x80 | part & 0x7F)
        made += bytes(reversed(digits))
    return _tlv(0x06, bytes(made))


def _time(when: datetime) -> bytes:
    if when.year < 2050:
        return _tlv(0x17, when.strftime("%y%m%d%H%M%SZ").encode())
    return _tlv(0x18, when.strftime("%Y%m%d%H%M%SZ").encode())


def _pem(kind: str, data: bytes) -> str:
    text = base64.b64encode(data).decode()
    lines = "\n".join(text[i : i + 64] for i in range(0, len(text), 64))
    return f"-----BEGIN {kind}-----\n{lines}\n-----END {kind}-----\n"
