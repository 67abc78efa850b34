"""What a user can do something about: one type each, one clear line, the numbers in the fields."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike

from .changes import Change, Changes


class SelvedgeError(ValueError):
    """Base of every error this library raises on purpose. ``str()`` is one line."""


class InvalidInput(SelvedgeError):
    """A value that cannot be used: ``field`` holds ``value``; ``fix`` says what to give instead."""

    def __init__(self, field: str, value: object, fix: str) -> None:
        super().__init__(field, value, fix)
        self.field, self.value, self.fix = field, value, fix

    def __str__(self) -> str:
        value = (str(self.value) or "empty") if isinstance(self.value, str | PathLike) else repr(self.value)
        return one_line(f"{self.field} is {value}: {self.fix}")


class NotSupported(SelvedgeError):
    """``op`` cannot be captured; ``where`` is the user's own source line ("" when unknown)."""

    def __init__(self, op: str, where: str, what_to_do: str) -> None:
        super().__init__(op, where, what_to_do)
        self.op, self.where, self.what_to_do = op, where, what_to_do

    def __str__(self) -> str:
        place = f" at {self.where}" if self.where else ""
        return one_line(f"{self.op} is not supported{place}: {self.what_to_do}")


class DoesNotFit(SelvedgeError):
    """``resource`` (say "RAM") needs ``need`` bytes and has ``have``.

    ``changes``: up to three ways that were planned and fit, the one that gives up least first. ``cheapest_change``: the
    first's text; where there is none, what the least that was tried needs, or None.
    """

    def __init__(
        self, resource: str, need: int, have: int, cheapest_change: str | None = None, changes: Iterable[Change] = ()
    ) -> None:
        super().__init__(resource, need, have, cheapest_change, tuple(changes))
        self.resource, self.need, self.have, self.cheapest_change = resource, need, have, cheapest_change
        self.changes = Changes(self.args[4])

    def __str__(self) -> str:
        change = f"; cheapest change: {self.cheapest_change}" if self.cheapest_change else ""
        return one_line(f"{self.resource} does not fit: needs {self.need:,} B, has {self.have:,} B{change}")


def one_line(text: str) -> str:
    """``text`` with every run of white space made one blank."""
    return " ".join(text.split())
