"""What a run states of the privacy of who learns in it: to be kept with the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .coordinator import Coordinator
from .privacy.accountant import Accountant
from .privacy.ledger import Ledger


def statement(coordinator: Coordinator, ledgers: Sequence[Ledger]) -> Mapping[str, Any]:
    """Of the run; where devices add the noise, of the one that has told most by these ``ledgers``. Empty of a run that
    adds none."""
    privacy = coordinator.settings.privacy
    if privacy is None or privacy.where != "local":
        return coordinator.statement
    return privacy.statement(max((one.spent for one in ledgers), key=lambda spent: spent.epsilon(privacy.delta)))


def at_most(coordinator: Coordinator) -> Mapping[str, Any]:
    """The same where devices are far away, and each has its own account: what one has told that has answered every
    task. Of examples nothing is known: how many steps a task has is the device's."""
    privacy = coordinator.settings.privacy
    if privacy is None or privacy.where != "local":
        return coordinator.statement
    if privacy.unit == "example":
        return {}
    tasks = coordinator.next_task
    return privacy.statement(Accountant([(privacy.release(), tasks)] if tasks else []))
