"""A device's own account of what it has told of its owner: counted before it is told, and never past the budget."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import InvalidInput
from ..secret import keep
from .accountant import Accountant, Release
from .budget import Budget

if TYPE_CHECKING:
    from .settings import Privacy

FIELDS = {"epsilon", "delta", "spent"}


class Spent(ValueError):
    """There is no budget left for this; ``str()`` says so in one line."""


class Ledger:
    """Of one device, over all runs. path: its file, mode 0600, whole after any kill; None: in memory, for simulated
    ones. A file that is damaged, gone, or of another budget, is refused: a device does not begin anew on its own.
    ``over``: why there was nothing left for what was to be counted last, "" where there was. ``broken``: why that
    could not be counted at all, for the owner: it names the file.

    Every answer that is made is counted, and has noise of its own. What is asked again is answered with what was kept
    (:class:`~..client.participant.Participant`), never made again: two answers to what only looks like one question,
    with the same noise, would tell by what they differ.
    """

    def __init__(self, budget: Budget, path: Path | None = None) -> None:
        self.budget, self._path, self.over = budget, path, ""
        self._held: dict[str, Any] | None = None
        self.broken: InvalidInput | None = None
        self._is_there = False
        with self._locked() as state:
            self._save(state)
        self._is_there = path is not None

    @property
    def spent(self) -> Accountant:
        with self._locked() as state:
            return Accountant.of(state["spent"])

    def spend(self, release: Release, count: int = 1) -> None:
        """Count ``count`` releases: before any of them is made. Once this returns, the count is on the disk.

        Raises :class:`Spent`, and nothing is counted, where that would be more than the budget; ``InvalidInput`` where
        what was counted before is not known.
        """
        try:
            self._spend(release, count)
        except InvalidInput as error:
            self.broken = error
            raise

    def _spend(self, release: Release, count: int) -> None:
        with self._locked() as state:
            spent = Accountant.of(state["spent"])
            if not self.budget.allows(spent, release, count):
                now, most = spent.epsilon(self.budget.delta), self.budget.epsilon
                self.over = f"the privacy budget is spent: epsilon {now:.3f} of {most:g} is told, one more is past"
                raise Spent(self.over)
            self.over = ""
            state["spent"] = spent.after(release, count).state()
            self._save(state)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[dict[str, Any]]:
        """The state as it is kept; no other process reads or writes it meanwhile."""
        if self._path is None:
            yield self._held or self._begun()
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._path.with_name(f"{self._path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield self._read(self._path)
        finally:
            os.close(handle)

    def _read(self, path: Path) -> dict[str, Any]:
        if (state := _read(path)) is None:
            if self._is_there:
                fix = "it is gone: what was told is not known, and nothing more is; put a copy back"
                raise InvalidInput("privacy ledger", str(path), fix)
            return self._begun()
        of = state["epsilon"], state["delta"]
        if of != (self.budget.epsilon, self.budget.delta):
            fix = f"it is of a budget of epsilon {of[0]}, delta {of[1]}: give that one"
            raise InvalidInput("privacy ledger", str(path), fix)
        return state

    def _begun(self) -> dict[str, Any]:
        return {"epsilon": self.budget.epsilon, "delta": self.budget.delta, "spent": []}

    def _save(self, state: Mapping[str, Any]) -> None:
        if self._path is None:
            self._held = dict(state)
        else:
            keep(self._path, json.dumps(state).encode())
            folder = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)  # a power cut does not bring the earlier count back
            finally:
                os.close(folder)


def kept(path: Path) -> tuple[Budget, Accountant] | None:
    """What the ledger ``path`` has, of which budget, and what of it is told; None where there is none. Raises
    ``InvalidInput``."""
    state = _read(path)
    return None if state is None else (Budget(state["epsilon"], state["delta"]), Accountant.of(state["spent"]))


def opened(privacy: Privacy | None, names: Collection[str], folder: Path | None) -> list[Ledger]:
    """Of each of ``names``, where devices count: what they have told is told, whether their run is gone on with or
    not. folder: of their files; None: in memory."""
    if privacy is None or privacy.where == "central":
        return []
    return [Ledger(privacy.budget, None if folder is None else folder / f"{name}.json") for name in names]


def _read(path: Path) -> dict[str, Any] | None:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise InvalidInput("privacy ledger", str(path), f"it cannot be read ({why})") from None
    try:
        state = json.loads(text)
        if set(state) != FIELDS:
            raise ValueError
        Budget(state["epsilon"], state["delta"])
        Accountant.of(state["spent"])
    except (ValueError, TypeError, KeyError, ArithmeticError, RecursionError):
        fix = "it is damaged: what was told is not known, and nothing more is; put a copy back"
        raise InvalidInput("privacy ledger", str(path), fix) from None
    return dict(state)
