"""What of an optimiser on the command line can be read without what it is: that needs torch."""

from __future__ import annotations

import math

from ..errors import InvalidInput

# Those whose least value is 0, whichever optimiser has them; a pair of betas lies in 0..1, without 1.
NOT_NEGATIVE = ("lr", "momentum", "dampening", "weight_decay", "eps", "alpha", "clip_value", "clip_norm")
NAMES = ("sgd", "adam", "rmsprop")


def check(text: str) -> str:
    """The name in ``text``, as sgd of "sgd:lr=0.01". Raises ``InvalidInput`` for any other."""
    name = text.partition(":")[0].lower()
    if name not in NAMES:
        raise InvalidInput(
            "--optimizer", text or "empty", f"give one of {', '.join(NAMES)}, as sgd:lr=0.01,momentum=0.9"
        )
    for part in text.partition(":")[2].split(","):
        key, _, value = (piece.strip() for piece in part.partition("="))
        numbers = [_number(v) for v in value.split("/")]
        if key in NOT_NEGATIVE and any(n is not None and n < 0 for n in numbers):
            raise InvalidInput(f"--optimizer {key}", value, "give a number >= 0")
        if key == "betas" and any(n is not None and not 0 <= n < 1 for n in numbers):
            raise InvalidInput("--optimizer betas", value, "give two numbers in 0..1, and below 1, as 0.9/0.999")
    return name


def _number(text: str) -> float | None:
    """None for what is none: the optimiser says what it takes."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
