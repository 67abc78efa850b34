"""What learns on a device, as a run has promised it to its owner."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import numpy.typing as npt

from ...run.session import Session
from ..privacy.ledger import Ledger
from ..privacy.settings import Privacy
from .per_example import PerExample
from .private import Private
from .session import SessionTrainer
from .store import Store
from .trainer import Trainer

Array = npt.NDArray[Any]


def trainer(
    session: Session, x: Array, y: Array, privacy: Privacy, ledger: Ledger | None, *, personal: Collection[str] = (),
    store: Store | None = None, seed: int = 0, log: Callable[[str], None] = lambda line: None,
) -> Trainer:  # fmt: skip
    """Of samples (x, y). ledger: in which it is counted what is told; None: the server adds the noise, and its account
    is the only one. With distributed noise it is what the values that are masked come of, and these are counted."""
    if privacy.unit == "example":
        assert ledger is not None, "whoever adds noise counts"
        batch = min(privacy.examples or 1, session.manifest.step_batch)
        return PerExample(session, x, y, privacy, ledger, batch)
    made = SessionTrainer(session, x, y, personal, store, seed=seed)
    if ledger is None or privacy.where == "distributed":
        return made
    return Private(made, privacy, ledger, log=log)
