"""Short texts in fixed formats: a byte of length, then ASCII."""

from __future__ import annotations

from ..allowed import NAME
from ..message import Refused


def packed(*texts: str) -> bytes:
    return b"".join(bytes((len(text),)) + text.encode("ascii") for text in texts)


def read(data: bytes, start: int, end: int) -> tuple[str, str]:
    """(name, profile), which are all of ``data[start:end]``; a profile may be empty. Raises ``Refused``."""
    found = []
    for _ in range(2):
        if start >= end or start + 1 + data[start] > end:
            raise Refused("a name or a profile that breaks off")
        found.append(data[start + 1 : start + 1 + data[start]].decode("latin-1"))
        start += 1 + data[start]
    name, profile = found
    if start != end:
        raise Refused("bytes behind its profile")
    if not NAME.fullmatch(name) or (profile and not NAME.fullmatch(profile)):
        raise Refused("a name or a profile that is none")
    return name, profile
