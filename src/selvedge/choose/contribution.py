"""What each tensor contributes to learning, and the plain file that holds it: a person may read and edit it."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ..artifact import files
from ..artifact.number import finite
from ..errors import InvalidInput

METHODS = ("allocation", "loss_decrease", "fisher", "first_order")
CHOICES = ("open", "always", "never")
FRACTIONS = (0.125, 0.25, 0.5)  # of a weight's input channels, from the first on
LIMIT = 1 << 26  # bytes: no file of ours is larger
_HEAD = """\
# What each tensor contributes when it learns, the greatest first: sv.plan(..., update="auto", contribution=THIS FILE).
# You may edit score, and choice: "open" leaves it to the planner, "always" and "never" do not.
# score: {unit}.
# shares: how much of the score the first 1/8, 1/4 and 1/2 of a weight's input channels hold; those may learn alone.
"""
_UNITS = {
    "allocation": "the tensor's part in the loss that held-out samples lose while all tensors learn together",
    "loss_decrease": "the loss that held-out samples lose while the tensor learns alone",
    "fisher": "trace of the empirical Fisher information, the mean of (dL/dw)^2 over samples, summed over the tensor",
    "first_order": "squared norm of the gradient: what one SGD step loses, to first order, divided by its rate",
}


@dataclass(frozen=True, slots=True)
class Tensor:
    """``bytes``: of the parameter alone. ``score`` >= 0 in the method's unit.

    shares: how much of the score the first 1/8, 1/4 and 1/2 of the input channels hold; () for a tensor without any.
    """

    name: str
    bytes: int
    score: float
    choice: str = "open"
    shares: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Contribution:
    """``of``: what it was measured on; a measurement goes on only from a file of the same. ``total``: tensors in all,
    of which ``tensors`` are done."""

    method: str
    of: str
    total: int
    tensors: tuple[Tensor, ...]

    @property
    def complete(self) -> bool:
        return len(self.tensors) >= self.total

    def ranked(self) -> tuple[Tensor, ...]:
        """The greatest score first."""
        return tuple(sorted(self.tensors, key=lambda t: (-t.score, t.name)))

    def with_tensor(self, tensor: Tensor) -> Contribution:
        return replace(self, tensors=(*self.tensors, tensor))

    def to_dict(self) -> dict[str, Any]:
        """The figures, for machines."""
        return {
            "method": self.method,
            "of": self.of,
            "total": self.total,
            "tensors": [asdict(t) for t in self.ranked()],
        }

    def save(self, path: str | Path) -> None:
        """Write it as TOML, whole or not at all."""
        lines = [_HEAD.format(unit=_UNITS[self.method])]
        lines += [f"method = {json.dumps(self.method)}", f"of = {json.dumps(self.of)}", f"total = {self.total}"]
        for t in self.ranked():
            shares = "" if not t.shares else f"shares = [{', '.join(f'{s:.4f}' for s in t.shares)}]\n"
            lines.append(
                f"\n[[tensor]]\nname = {json.dumps(t.name, ensure_ascii=False)}\nbytes = {t.bytes}\n"
                f"score = {float(t.score)!r}\nchoice = {json.dumps(t.choice)}\n{shares}".rstrip()
            )
        files.write(Path(path), ("\n".join(lines) + "\n").encode())

    @classmethod
    def load(cls, path: str | Path) -> Contribution:
        """Read what :meth:`save` wrote, edited or not. Raises ``InvalidInput`` naming the entry and the fix."""
        try:
            with Path(path).open("rb") as file:
                text = file.read(LIMIT).decode()
            given = tomllib.loads(text)
        except (OSError, ValueError, RecursionError) as error:  # a path that is none, bytes that are no text, no TOML
            said = error.strerror if isinstance(error, OSError) else str(error)
            raise InvalidInput("contribution", str(path), f"it cannot be read ({said}): measure it anew") from None
        method, of, total = given.get("method"), given.get("of"), given.get("total", -1)
        entries = given.get("tensor", [])
        if method not in METHODS or not isinstance(of, str) or not _whole(total) or not isinstance(entries, list):
            fix = f"it needs method ({' or '.join(METHODS)}), of, total and [[tensor]] tables: measure it anew"
            raise InvalidInput("contribution", str(path), fix)
        tensors = tuple(_tensor(entry) for entry in entries)
        names = [t.name for t in tensors]
        for name in names:
            if names.count(name) > 1:
                raise InvalidInput(f"contribution {name}", "there twice", "remove one of the two")
        return cls(method, of, total, tensors)

    def __str__(self) -> str:
        width = max([len("tensor"), *(len(t.name) for t in self.tensors)])
        lines = [f"{'tensor':<{width}}{'bytes':>12}{'score':>14}  choice"]
        lines += [f"{t.name:<{width}}{t.bytes:>12,}{t.score:>14.6g}  {t.choice}" for t in self.ranked()]
        done = "" if self.complete else f"; {len(self.tensors)} of {self.total} are done"
        return "\n".join([*lines, "", f"score: {_UNITS[self.method]}{done}"])


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _tensor(entry: object) -> Tensor:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str):
        raise InvalidInput("contribution", "a table without a name", "give each [[tensor]] its name")
    given: Mapping[str, Any] = entry
    name = given["name"]

    def refuse(field: str, fix: str) -> InvalidInput:
        return InvalidInput(f"contribution {name} {field}", given.get(field), fix)

    score, shares = given.get("score", -1), given.get("shares", [])
    if not _whole(given.get("bytes")):
        raise refuse("bytes", "give a whole number of bytes")
    if not _number(score):
        raise refuse("score", "give a finite number >= 0")
    if given.get("choice", "open") not in CHOICES:
        raise refuse("choice", f"give one of {', '.join(CHOICES)}")
    if not isinstance(shares, list) or not all(map(_number, shares)) or len(shares) not in (0, len(FRACTIONS)):
        raise refuse("shares", f"give {len(FRACTIONS)} numbers in 0..1, or leave it out")
    return Tensor(name, given["bytes"], float(score), given.get("choice", "open"), tuple(map(float, shares)))


def _number(value: object) -> bool:
    number = finite(value)
    return number is not None and number >= 0
