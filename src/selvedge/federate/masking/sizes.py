"""The bytes of a group's round, counted: what a member sends and is sent, stage by stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from . import wire
from .ring import packed_size
from .terms import STAGES, Terms


@dataclass(frozen=True, slots=True)
class Sizes:
    """``up``, ``down``: bytes of a member by stage, where nobody is lost; ``input`` is without the model, which goes
    beside it. ``size``: parameters. ``plain``: what the bare sum's bits come to."""

    up: Mapping[str, int]
    down: Mapping[str, int]
    size: int
    plain: int

    @property
    def a_parameter(self) -> float:
        """Bytes that go up, all stages, keys, shares, consent and unmasking included."""
        return sum(self.up.values()) / self.size

    @property
    def overhead(self) -> float:
        """Of what goes up, beside the bare bits."""
        return sum(self.up.values()) / self.plain - 1

    def __str__(self) -> str:
        rows = [f"{stage:<8} {self.up[stage]:>12,} B up {self.down[stage]:>12,} B down" for stage in STAGES]
        up, down = sum(self.up.values()), sum(self.down.values())
        rows += [f"{'all':<8} {up:>12,} B up {down:>12,} B down"]
        return "\n".join([*rows, f"{self.a_parameter:.4f} B a parameter up, {self.overhead:.2%} over the bare bits"])


def sizes(terms: Terms, certificate: int = 0) -> Sizes:
    """``certificate``: bytes of a member's. Elements that only some have are not counted."""
    n, own = len(terms.cohort), wire.most_answer("keys", terms) - wire.CERTIFICATE - wire.SPANS * wire.SPAN
    up = {stage: wire.most_answer(stage, terms) for stage in STAGES} | {"keys": own + certificate}
    down = {stage: wire.most_ask(stage, terms) for stage in STAGES}
    down["shares"] -= n * (wire.most_answer("keys", terms) - up["keys"])
    return Sizes(up, down, terms.size, packed_size(terms.size, terms.width))
