"""What all members of a group must agree on before one of them masks anything; its digest is in every message."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields
from functools import cached_property

from ..refused import Refused

STAGES = ("keys", "shares", "input", "consent", "unmask")
MEMBERS = 512  # of a group, at most
WIDEST = 32  # bits of an element of the sum
NAME, RUN, CODEC = 200, 400, 4000  # characters
SIZE = 1 << 28  # elements


@dataclass(frozen=True)
class Terms:
    """``run``: which of all runs; ``task``: of that run, later ones have higher numbers. ``cohort``: device names,
    sorted. ``size``: values of an input; ``bits``: of a value, which is signed. ``model``: SHA-256 of the model that is
    sent, in hexadecimal. ``codec``: its name, the scale that all share, and what is learnt by it. ``covered``: how
    many members each element of the sum has at least. ``least``: members that the run has promised for each of its
    groups. ``rules``: what else its devices were invited to, as SHA-256 in hexadecimal; "" where nothing was.

    Raises :class:`Refused` for what makes no round.
    """

    run: str
    task: int
    group: int
    cohort: tuple[str, ...]
    threshold: int
    size: int
    bits: int
    model: str
    codec: str
    covered: int = 1
    least: int = 2
    rules: str = ""

    def __post_init__(self) -> None:
        for field, most in (("run", RUN), ("codec", CODEC)):
            if not _is_text(value := getattr(self, field), most):
                raise Refused(f"terms: {field} is no text of 1 to {most} characters ({str(value)[:40]!r})")
        if not isinstance(self.cohort, tuple) or not all(_is_text(name, NAME) for name in self.cohort):
            raise Refused(f"terms: cohort has what is no name of 1 to {NAME} characters")
        n = len(self.cohort)
        if not 2 <= n <= MEMBERS:
            raise Refused(f"terms: a cohort of {n} members: 2 to {MEMBERS}")
        if list(self.cohort) != sorted(set(self.cohort)):
            raise Refused("terms: the names of the cohort are not sorted, or one is there twice")
        limits = {
            "task": (0, 1 << 62), "group": (0, 1 << 30), "threshold": (2, n), "size": (1, SIZE), "covered": (1, n),
            "bits": (1, WIDEST - carry(n)), "least": (2, n),
        }  # fmt: skip
        for field, (least, most) in limits.items():
            value = getattr(self, field)
            if type(value) is not int or not least <= value <= most:
                raise Refused(f"terms: {field} is {value!r}: {least} to {most}")
        for field, given in (("model", self.model), ("rules", self.rules or "0" * 64)):
            if not isinstance(given, str) or len(given) != 64 or set(given) - set("0123456789abcdef"):
                raise Refused(f"terms: {field} is {str(given)[:70]!r}: 64 hexadecimal digits")

    @property
    def width(self) -> int:
        """Bits of an element on the wire: the sum of all members' values cannot leave them."""
        return self.bits + carry(len(self.cohort))

    @cached_property
    def digest(self) -> bytes:
        return hashlib.sha256(b"selvedge masking 1\n" + self.to_json().encode()).digest()

    def index(self, name: str) -> int:
        """Raises :class:`Refused` for who is not of the cohort."""
        try:
            return self._places[name]
        except KeyError:
            raise Refused(f"{name} is not of this group") from None

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.cohort)}

    def to_json(self) -> str:
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return json.dumps(given, sort_keys=True, separators=(",", ":"))

    @classmethod
    def of_json(cls, text: str) -> Terms:
        """Raises :class:`Refused` for anything but what :meth:`to_json` writes."""
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            raise Refused("terms that are no JSON") from None
        if not isinstance(found, dict) or set(found) != {field.name for field in fields(cls)}:
            raise Refused("terms of other fields")
        if not isinstance(found["cohort"], list):
            raise Refused("terms: cohort is no list")
        made = cls(**{**found, "cohort": tuple(found["cohort"])})
        if made.to_json() != text:
            raise Refused("terms that are written in another way")
        return made


def carry(members: int) -> int:
    """ceil(log2 members): bits that a sum of so many values has more than a value."""
    return (members - 1).bit_length()


def _is_text(value: object, most: int) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= most and value.isprintable()
