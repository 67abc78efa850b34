"""What of a stream cannot be used: told, counted and left out; or, where it is strict, the end."""

from __future__ import annotations

from collections.abc import Callable

from ...errors import InvalidInput

TOLD = 20  # of a kind that are told one by one; more are only counted


class Faults:
    """``tell`` is given one line each. ``count``: how many there were; ``missing``: rows left out for a missing value,
    as was asked for."""

    def __init__(self, tell: Callable[[str], None] = lambda line: None, strict: bool = False) -> None:
        self._tell, self.strict = tell, strict
        self.count = self.missing = 0

    def note(self, where: str, value: object, fix: str, what: str = "left out") -> None:
        """``where``: file, row and column; ``what`` becomes of it. Raises ``InvalidInput`` where it is strict."""
        error = InvalidInput(where, value, fix)
        if self.strict:
            raise error
        self.count += 1
        if self.count <= TOLD:
            self._tell(f"{what}: {error}" + ("; further ones are counted" if self.count == TOLD else ""))
