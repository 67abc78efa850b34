"""A member of a masked round that is killed, as a process, between the writing of what it keeps and its renaming."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from selvedge.federate.client.store import InFile
from selvedge.federate.masking.group import Group

from .lying import Server, participant
from .toward import name

COUNT, STAGES = 4, ("keys", "shares")


def main(folder: Path, at: int) -> None:
    """To the ``at``-th renaming, from 1."""
    one = participant(0, COUNT, InFile(folder / "state"))
    lying = Server({0: one, **{i: participant(i, COUNT) for i in range(1, COUNT)}})
    terms = lying.terms(range(COUNT), 0)
    under, renamed = Group(terms, {name(i): lying.devices[i]._key.public for i in range(COUNT)}), [0]

    def noted(event: str, given: Any) -> None:
        if event == "os.rename" and str(given[1]) == str(folder / "state"):
            renamed[0] += 1
            if renamed[0] == at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(noted)
    for stage in STAGES:
        for i in range(COUNT):
            answer = lying.ask(i, terms, stage, under.ask(name(i)))
            assert answer is not None
            under.put(name(i), answer.body)
        under.advance()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
