"""The optimisers' names on the command line, without what they are: that needs torch."""

from __future__ import annotations

from ..errors import InvalidInput

NAMES = ("sgd", "adam", "rmsprop")


def check(text: str) -> str:
    """The name in ``text``, as sgd of "sgd:lr=0.01". Raises ``InvalidInput`` for any other."""
    name = text.partition(":")[0].lower()
    if name not in NAMES:
        raise InvalidInput(
            "--optimizer", text or "empty", f"give one of {', '.join(NAMES)}, as sgd:lr=0.01,momentum=0.9"
        )
    return name
