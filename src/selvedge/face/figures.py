"""Figures as people read them."""

from __future__ import annotations


def seconds(value: float | None) -> str:
    """ "-" where it is not known."""
    return "-" if value is None else _engineering(value, "s")


def joules(value: float | None) -> str:
    """ "-" where it is not known."""
    return "-" if value is None else _engineering(value, "J")


def percent(value: float | None) -> str:
    """A fraction, to a tenth of a point."""
    return "-" if value is None else f"{value:.1%}"


def score(accuracy: float | None, loss: float) -> str:
    """The accuracy, or where there are no classes the loss."""
    return f"loss {loss:.4g}" if accuracy is None else f"{accuracy:.1%}"


def _engineering(value: float, unit: str) -> str:
    for factor, prefix in ((1, ""), (1e-3, "m"), (1e-6, "µ")):
        if value >= factor:
            return f"{value / factor:.3g} {prefix}{unit}"
    return f"{value / 1e-9:.3g} n{unit}"
