"""A device's own account of what it has told of its owner: counted before it is told, and never past the budget."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...errors import InvalidInput
from ..secret import keep
from .accountant import Accountant, Release
from .budget import Budget
from .randomness import SECRET, derived, system

KEPT = 256  # tasks that are known again: those before them are counted again if they come again


class Spent(ValueError):
    """There is no budget left for this; ``str()`` says so in one line."""


class Ledger:
    """Of one device, over all runs. path: its file, mode 0600, whole after any kill; None: in memory, for simulated
    ones. A file that is damaged, or of another budget, is refused: a device does not begin anew on its own.

    The file holds a secret too, of which the noise of each task is made: what is asked again after a crash is answered
    with the same noise, and the count of it stands for one answer.
    """

    def __init__(self, budget: Budget, path: Path | None = None) -> None:
        self.budget, self._path = budget, path
        self._held: dict[str, Any] | None = None
        with self._locked() as state:
            self._save(state)

    @property
    def spent(self) -> Accountant:
        with self._locked() as state:
            return Accountant.of(state["spent"])

    def spend(self, key: str, release: Release, count: int = 1) -> bytes:
        """Count ``count`` releases for what ``key`` names, and give the secret of its noise; for a key that was
        counted, that secret and no more. Once this returns, the count is on the disk.

        Raises :class:`Spent`, and nothing is counted, where that would be more than the budget.
        """
        with self._locked() as state:
            if key not in state["keys"]:
                spent = Accountant.of(state["spent"])
                if not self.budget.allows(spent, release, count):
                    now, most = spent.epsilon(self.budget.delta), self.budget.epsilon
                    raise Spent(f"the privacy budget is spent: epsilon {now:.3f} of {most:g} is told, one more is past")
                state["spent"] = spent.after(release, count).state()
                state["keys"] = [*state["keys"], key][-KEPT:]
                self._save(state)
            return derived(bytes.fromhex(state["secret"]), "noise", key)

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
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return self._begun()
        except (OSError, ValueError) as error:
            raise InvalidInput("privacy ledger", str(path), f"it cannot be read ({error})") from None
        fix = "it is damaged: what was told is not known, and nothing more is; put a copy back"
        try:
            state = json.loads(text)
            of, keys = (state["epsilon"], state["delta"]), state["keys"]
            if len(bytes.fromhex(state["secret"])) != SECRET or not all(isinstance(key, str) for key in keys):
                raise ValueError
            Accountant.of(state["spent"])
        except (ValueError, TypeError, KeyError):
            raise InvalidInput("privacy ledger", str(path), fix) from None
        if of != (self.budget.epsilon, self.budget.delta):
            fix = f"it is of a budget of epsilon {of[0]}, delta {of[1]}: give that one"
            raise InvalidInput("privacy ledger", str(path), fix)
        return dict(state)

    def _begun(self) -> dict[str, Any]:
        return {
            "epsilon": self.budget.epsilon, "delta": self.budget.delta, "spent": [], "keys": [],
            "secret": system(SECRET).hex(),
        }  # fmt: skip

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
