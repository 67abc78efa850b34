"""The ways to a small network, by name: which architecture, who teaches, which numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...errors import InvalidInput

WHOLE, PRUNED, NARROW, EFFICIENT, GIVEN = "float", "pruned", "narrow", "efficient", "given"
DISTILLED, PTQ, QAT = "distilled", "ptq", "qat"
BODIES = (WHOLE, PRUNED, NARROW, EFFICIENT)
WORDS = (*BODIES, GIVEN, DISTILLED, PTQ, QAT)


@dataclass(frozen=True, slots=True)
class Way:
    """``body``: "float" is the model as it is; "pruned" has had channels cut away; "narrow" is the same architecture
    with fewer channels, trained from nothing; "efficient" another architecture; "given" the model as it came, trained
    by nobody here. ``taught``: by the model as it is. ``bits``: "" for float32, "ptq" and "qat" for int8 after
    training and in training."""

    body: str
    taught: bool = False
    bits: str = ""

    @property
    def name(self) -> str:
        words = [DISTILLED] * self.taught + [self.bits] * bool(self.bits)
        return "+".join(words if self.body == WHOLE and words else [self.body, *words])

    @property
    def needs(self) -> tuple[str, ...]:
        """What must be there beside a model that is trained."""
        trained = self.body != GIVEN and (self.body != WHOLE or self.taught or self.bits != PTQ)
        found = ["labels", "a training run"] if trained else []
        return tuple(
            found + ["the model as teacher"] * self.taught + ["samples without labels"] * (self.bits == PTQ)
        )  # fmt: skip


DEFAULT = (
    Way(WHOLE), Way(WHOLE, bits=PTQ), Way(WHOLE, bits=QAT), Way(WHOLE, True),
    Way(PRUNED), Way(PRUNED, bits=PTQ), Way(PRUNED, bits=QAT),
    Way(PRUNED, True), Way(PRUNED, True, PTQ), Way(PRUNED, True, QAT),
    Way(NARROW), Way(NARROW, bits=PTQ), Way(NARROW, True), Way(NARROW, True, PTQ), Way(NARROW, True, QAT),
    Way(EFFICIENT), Way(EFFICIENT, bits=PTQ), Way(EFFICIENT, True), Way(EFFICIENT, True, PTQ),
)  # fmt: skip
AS_IT_CAME = (Way(GIVEN), Way(GIVEN, bits=PTQ))  # of a model that is trained already


def parse(name: str) -> Way:
    """The way that ``name`` says, its words in any order: "pruned+distilled+qat". Raises ``InvalidInput``."""
    words = name.split("+") if isinstance(name, str) else []
    strange = next((w for w in words if w not in WORDS), None)
    if not words or strange is not None:
        raise InvalidInput("ways", name if strange is None else strange, f"join words of {', '.join(WORDS)} by +")
    bodies = [w for w in words if w in (*BODIES, GIVEN)]
    bits = [w for w in words if w in (PTQ, QAT)]
    if len(set(words)) < len(words) or len(bodies) > 1 or len(bits) > 1:
        raise InvalidInput("ways", name, "name one architecture at most, and ptq or qat, each word once")
    way = Way(bodies[0] if bodies else WHOLE, DISTILLED in words, bits[0] if bits else "")
    if way.body == GIVEN and (way.taught or way.bits == QAT):
        raise InvalidInput("ways", name, "nothing trains the model as it came: leave given out, or say given+ptq")
    return way


def chosen(names: Sequence[str] | None, trained: bool) -> tuple[Way, ...]:
    """The ways that are asked for, each once; by default all, and of a trained model what it is as it came."""
    if names is None:
        return (*AS_IT_CAME, *DEFAULT) if trained else DEFAULT
    if isinstance(names, str) or not names:
        raise InvalidInput("ways", names, 'give a list of names, as ["float", "pruned+ptq"]')
    found = tuple(dict.fromkeys(map(parse, names)))
    came = next((w for w in found if w.body == GIVEN), None)
    if came is not None and not trained:
        raise InvalidInput("ways", came.name, "the model is not said to be trained: say so, or leave it out")
    return found
