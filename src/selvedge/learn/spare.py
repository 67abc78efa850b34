"""Outputs of a model that no class has yet: which they are, and a session in which they never win."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import DoesNotFit, InvalidInput
from ..run.session import Session

Array = npt.NDArray[Any]
LONGEST = 32  # bytes of a name
BELOW = 100.0  # of a logit: exp(-100) is nothing beside 1 in float32


class Labels:
    """The names of the classes by output; None: spare. ``bytes``: 33 an output, for its name and the length of it."""

    def __init__(self, names: Sequence[str], outputs: int) -> None:
        """The first outputs are those of ``names``. Raises ``InvalidInput`` for more names than outputs, one that is
        there twice, and one of more than 32 bytes."""
        if len(names) > outputs:
            raise InvalidInput("labels", f"{len(names)} names", f"the model has {outputs} outputs")
        self._names: list[str | None] = [None] * outputs
        self._first = len(names)
        for number, name in enumerate(names):
            self._names[number] = self._checked(name)

    @property
    def names(self) -> tuple[str | None, ...]:
        return tuple(self._names)

    @property
    def used(self) -> Array:
        """Which outputs have a class, bool [outputs]."""
        return np.array([name is not None for name in self._names])

    @property
    def enrolled(self) -> tuple[int, ...]:
        """The outputs whose class was entered later."""
        return tuple(i for i, name in enumerate(self._names) if i >= self._first and name is not None)

    @property
    def bytes(self) -> int:
        return (LONGEST + 1) * len(self._names)

    def enter(self, name: str) -> int:
        """Give ``name`` the first spare output. Raises as :meth:`spare`."""
        number = self.spare(name)
        self._names[number] = name
        return number

    def spare(self, name: str) -> int:
        """The output that ``name`` would get. Raises ``DoesNotFit`` where none is left, and ``InvalidInput`` for a name
        that is there already, or is none."""
        self._checked(name)
        if None not in self._names:
            have = len(self._names)
            raise DoesNotFit("outputs", have + 1, have, "plan a model with more outputs than classes")
        return self._names.index(None)

    def _checked(self, name: str) -> str:
        if not isinstance(name, str) or not 1 <= len(name.encode()) <= LONGEST:
            raise InvalidInput("label", name, f"give a name of 1 to {LONGEST} bytes")
        if name in self._names:
            raise InvalidInput("label", name, "it is there already: learn more of it with learn_one")
        return name

    def state_dict(self) -> dict[str, Array]:
        return {"names": np.frombuffer(json.dumps(self._names).encode(), np.uint8)}

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Raises ``InvalidInput``, and changes nothing, for anything but what :meth:`state_dict` gives."""
        try:
            names = json.loads(state["names"].tobytes())
            good = len(names) == len(self._names) and all(n is None or isinstance(n, str) for n in names)
        except (KeyError, TypeError, ValueError):
            good = False
        if not good:
            raise InvalidInput("labels state", "of another model", "give what state_dict() gave")
        self._names = names


class Masked:
    """A session whose spare outputs are 100 below the smallest of the others: they have no probability, and are still
    numbers. All else is the session's own."""

    def __init__(self, session: Session, labels: Labels) -> None:
        self._session, self._labels = session, labels

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def predict(self, x: Any) -> Array:
        output = np.array(self._session.predict(x))
        used = self._labels.used
        if not used.all():
            output[:, ~used] = output[:, used].min(1, keepdims=True) - np.float32(BELOW)
        return output
