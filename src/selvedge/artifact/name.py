"""Names of artifacts: they become C identifiers, files and macros."""

from __future__ import annotations

from ..errors import InvalidInput
from .native import native_sources

LONGEST = 64


def checked_name(name: str) -> str:
    """``name``. Raises ``InvalidInput`` unless it can be a C identifier and a file beside the kernels' own."""
    if not (name.isidentifier() and name.isascii()) or len(name) > LONGEST:
        raise InvalidInput("name", name, f"give a C identifier of at most {LONGEST} letters, as digits_cnn")
    taken = {file.partition(".")[0] for file in native_sources()} | {"stack_probe", "storage_posix"}
    if name in taken or name.lower().startswith(("selvedge", "sv_")):
        raise InvalidInput("name", name, "the kernels use that name; give another")
    return name
