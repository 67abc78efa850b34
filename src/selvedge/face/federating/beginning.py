"""Whether a run can begin with its models: asked before anything of it is written."""

from __future__ import annotations

from collections.abc import Sequence

from ...federate.client.session import state_of
from ...federate.coordinator import Coordinator
from ...federate.cover import widths
from ...federate.federation import Federation
from ...federate.layout import Layout
from ...run.session import Session
from .kind import Kind
from .wish import asked


def check(settings: Federation, of: Sequence[Kind], sessions: Sequence[Session]) -> None:
    """Raises ``InvalidInput`` where no server would begin it, in the words of the command line: else a folder would be
    that of a run which is none, and the line that is right would be refused there."""
    state = state_of(sessions[0])
    whole = Layout.of(state)
    with asked():
        parts = {kind.name: Layout.of(state_of(session)) for kind, session in zip(of, sessions, strict=True)}
        same = {name: part for name, part in parts.items() if part.shapes.keys() == whole.shapes.keys()}
        covers = {name: widths(whole, part) for name, part in same.items()}  # of others is said where they are read
        Coordinator(settings, whole, whole.vector(state), covers)
