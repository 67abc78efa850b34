"""What a device's owner lets be told of it, as ``join --budget`` says and ``status`` shows: loads no torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import InvalidInput
from ...federate.client import promised
from ...federate.client.trainer import Trainer
from ...federate.privacy.budget import Budget
from ...federate.privacy.ledger import Ledger, kept
from ...federate.privacy.settings import Privacy
from ...run.session import Session
from ..spoken import spoken

if TYPE_CHECKING:
    from ...federate.client.masking import Masking

WORDS = {"budget epsilon": "--budget epsilon", "budget delta": "--budget delta", "privacy ledger": "--budget"}
GIVE = "give epsilon=8,delta=1e-3; or epsilon alone, with the delta of the run"


def account(promise: Privacy, path: Path, given: str | None) -> Ledger | None:
    """The device's own, of its owner's budget: what is ``given``, or was before, or what the run promises. None where
    nothing was ever said and the server adds the noise: then the run's account is the only one. Raises
    ``InvalidInput``, also for another budget than was said before, and where what was before lets more be told than a
    run promises whose devices add the noise: a server could ask until that is spent."""
    with spoken(WORDS):
        before = kept(path)
        if given is not None:
            return Ledger(_read(given, promise.delta), path)
        if before is not None:
            had = before[0]
            if promise.where != "central" and (had.epsilon > promise.epsilon or had.delta > promise.delta):
                may = f"epsilon={had.epsilon},delta={had.delta}"  # to the last digit: another one is refused
                fix = f"of {may}, and this run promises epsilon={promise.epsilon:g},delta={promise.delta:g}"
                raise InvalidInput("--budget", "kept in --store", f"{fix}: give --budget {may} to take part by that")
            return Ledger(had, path)
        return None if promise.where == "central" else Ledger(promise.budget, path)


def _read(text: str, delta: float) -> Budget:
    found: dict[str, Any] = {}
    for name, _, value in (pair.partition("=") for pair in (text if "=" in text else f"epsilon={text}").split(",")):
        try:
            if name not in ("epsilon", "delta") or name in found:
                raise ValueError
            found[name] = float(value)
        except ValueError:
            raise InvalidInput("--budget", text or "empty", GIVE) from None
    if "epsilon" not in found:
        raise InvalidInput("--budget", text, GIVE)
    return Budget(**{"delta": delta, **found})


def private(
    session: Session, x: np.ndarray, y: np.ndarray, promise: Privacy, ledger: Ledger | None,
    masking: Masking | None, seed: int, log: Callable[[str], None],
) -> tuple[Trainer, Masking | None]:  # fmt: skip
    """What learns, and how it takes part in masked rounds, as it was promised."""
    made = promised.trainer(session, x, y, promise, ledger, seed=seed, log=log)
    if masking is None or ledger is None or promise.where != "distributed":
        return made, masking
    from ...federate.client.noising import Noising  # a device of another run is to have the memory

    return made, replace(masking, noising=Noising(promise, ledger))


@dataclass(frozen=True, slots=True)
class Told:
    """How a device's account stands. ``left``: whether one more like the last would be within the budget."""

    name: str
    budget: Budget
    epsilon: float
    releases: int
    left: bool

    @property
    def data(self) -> dict[str, Any]:
        """For machines."""
        told = {"device": self.name, "epsilon": self.epsilon, "budget": self.budget.epsilon}
        return {**told, "delta": self.budget.delta, "releases": self.releases, "left": self.left}

    def __str__(self) -> str:
        of = f"epsilon {self.epsilon:.3f} of {self.budget.epsilon:g} is told, at delta {self.budget.delta:g}"
        return f"{self.name}: {of}, in {self.releases:,} releases{'' if self.left else '; one more is past'}"


def told(name: str, path: Path) -> Told | None:
    """Of the account at ``path``; None where there is none. Raises ``InvalidInput``."""
    with spoken(WORDS):
        if (found := kept(path)) is None:
            return None
    budget, spent = found
    left = not spent.history or budget.allows(spent, spent.history[-1][0])
    return Told(name, budget, round(spent.epsilon(budget.delta), 6), sum(n for _, n in spent.history), left)
