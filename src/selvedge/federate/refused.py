"""What is said of a message that is not used."""

from __future__ import annotations


class Refused(ValueError):
    """A message that is not used; ``str()`` says why in one line. ``of``: the member who is to blame for that, by what
    it has signed; "" for nobody in particular."""

    def __init__(self, why: str = "", of: str = "") -> None:
        super().__init__(why)
        self.of = of
