"""The folder of a server's run: its secrets, what its devices are given, and who may take part.

server.key, tls/          secrets: the server's signing key, its certificate and that one's key
operator.json             what `selvedge federate status URL` needs elsewhere; it holds a token
allowed.txt               public keys of devices, a line each
credentials/              or what devices of an authority have shown
devices/PROFILE/          to be copied to every device of this kind: invitation, certificate, artifact
"""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

from ...artifact import files
from ...errors import InvalidInput
from ...federate import allowed, certificate, secret
from ...federate.keys import Key

ALLOWED, OPERATOR, TLS, KEY, DEVICES = "allowed.txt", "operator.json", "tls", "server.key", "devices"
CREDENTIALS = "credentials"


@dataclass(frozen=True, slots=True)
class Operator:
    """``certificate``: PEM, "" where an authority vouches for the server."""

    url: str
    token: str
    certificate: str


def tls(folder: Path, host: str) -> tuple[Path, Path]:
    """A certificate for ``host`` and its key; those that were made here before, where they are. Raises
    ``InvalidInput`` for what is no host."""
    certificate.check(host)
    files_ = folder / TLS / f"{host}.pem", folder / TLS / f"{host}.key"
    if not all(f.is_file() for f in files_):
        key = Key()
        text = certificate.self_signed([host], key, datetime.now(UTC), secrets.randbits(120) | 1 << 119)
        secret.keep(files_[1], certificate.private(key).encode())
        files.write(files_[0], text.encode())
    return files_


def operator(folder: Path, url: str, pem: str) -> Operator:
    """With the token that was made here before, or a new one."""
    path = folder / OPERATOR
    token = read_operator(path).token if path.is_file() else secrets.token_urlsafe(24)
    made = Operator(url, token, pem)
    secret.keep(path, (json.dumps(asdict(made), indent=1) + "\n").encode())
    return made


def read_operator(path: Path) -> Operator:
    """Raises ``InvalidInput``."""
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
        made = Operator(**{f.name: given[f.name] for f in fields(Operator)})
        if not all(isinstance(value, str) for value in asdict(made).values()):
            raise ValueError("a field is no text")
    except (OSError, ValueError, KeyError, TypeError) as error:
        fix = f"it cannot be read ({error}): name the {OPERATOR} of the run's folder"
        raise InvalidInput("--operator", str(path), fix) from None
    return made


def devices_file(folder: Path, given: Path | None) -> Path:
    """The allow-list; a new, empty one where none was named and none is there."""
    path = folder / ALLOWED if given is None else given
    if given is None and not path.exists():
        files.write(path, allowed.HEADER.encode())
    return path
