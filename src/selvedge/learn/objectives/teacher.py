"""What a session knew at one time, asked later: the teacher of learning without forgetting."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...run.session import Session
from ..copies import Copy


class Teacher:
    """The weights that the session has now, which teach what comes after. ``bytes``: of their copy, in RAM; those that
    a device was shipped with lie in flash anyhow."""

    def __init__(self, session: Session) -> None:
        self._session, self._copy = session, Copy.of(session)

    @property
    def bytes(self) -> int:
        state = self._session.manifest.state
        return sum(array.nbytes for name, array in self._copy.arrays.items() if state[name].of_model)

    def logits(self, x: npt.ArrayLike) -> npt.NDArray[Any]:
        """What it says of a batch, as ``session.predict``; the session is afterwards bit for bit what it was."""
        now = Copy.of(self._session)
        self._copy.into(self._session)
        try:
            return np.asarray(self._session.predict(x))
        finally:
            now.into(self._session)
