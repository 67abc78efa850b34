"""How a width multiplier rounds channels."""

from __future__ import annotations


def make_divisible(channels: float, divisor: int = 8) -> int:
    """The nearest multiple of ``divisor``, at least ``divisor``, never below 90 % of ``channels``.

    torchvision/models/_utils.py, after tensorflow/models slim ``mobilenet``.
    """
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded
