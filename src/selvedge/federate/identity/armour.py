"""Requests, credentials and what an authority publishes as text that survives a mail: base64 between two lines (RFC
7468)."""

from __future__ import annotations

import base64
import re

from ..message import Refused

REQUEST, CREDENTIAL, AUTHORITY = "SELVEDGE REQUEST", "SELVEDGE CREDENTIAL", "SELVEDGE AUTHORITY"
_TEXT = re.compile(r"\s*-----BEGIN ([A-Z ]+)-----\n([A-Za-z0-9+/=\s]*)-----END \1-----\s*")


def wrapped(kind: str, data: bytes) -> str:
    text = base64.b64encode(data).decode()
    lines = "\n".join(text[i : i + 64] for i in range(0, len(text), 64))
    return f"-----BEGIN {kind}-----\n{lines}\n-----END {kind}-----\n"


def read(kind: str, text: str) -> bytes:
    """Raises ``Refused`` for what is no text of this kind."""
    match = _TEXT.fullmatch(text.replace("\r\n", "\n"))
    if match is None or match[1] != kind:
        raise Refused(f"no {kind} in it" if match is None else f"a {match[1]} where a {kind} is due")
    try:
        return base64.b64decode("".join(match[2].split()), validate=True)
    except ValueError:
        raise Refused(f"a {kind} that is damaged") from None
