"""What is said of a message that is not used."""

from __future__ import annotations


class Refused(ValueError):
    """A message that is not used; ``str()`` says why in one line."""
