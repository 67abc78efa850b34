"""Which parameters a step updates: a policy, resolved to state names and to the parts of them that learn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

import numpy as np

from ..errors import InvalidInput
from .captured import Captured
from .part import Part, channels
from .pattern import SPELLING, Pattern, pattern

POLICIES = ("full", "auto", "last:1", "bias")


def select(captured: Captured, update: str | Sequence[str]) -> dict[str, Part | None]:
    """The state names that ``update`` stands for, in the order of ``state_dict()``, each with the part of it that
    learns; None for all of it.

    "full": every trainable parameter. "last:K": those of the last K layers that own trainable parameters, in order
    of execution, where a norm directly behind a convolution or linear layer counts as part of it. "bias": every
    bias (of norms too). Else names and globs ("head.*"), in a sequence or between commas; a shared parameter may be
    called by any of its names. Behind a name or glob "[:25%]" (rounded up to a channel) or "[:16]" is the part of a
    weight that reads the first input channels of its layer; a glob then matches only what has input channels, and
    where several say something of one parameter, the most learns. Raises ``InvalidInput``, which names what exists.
    """
    if not isinstance(update, str) and not all(isinstance(pattern, str) for pattern in update):
        raise InvalidInput("update", list(update), "give names and globs of the state dict")
    trainable = set(captured.trainable)
    chosen: Mapping[str, Part | None]
    if not trainable and (last := _in_int8(captured)):
        raise InvalidInput("update", repr(update), f"every layer is int8, and int8 does not learn: {_float(last[-1])}")
    if update == "full":
        chosen = dict.fromkeys(trainable)
    elif update == "bias":
        chosen = dict.fromkeys(n for n in trainable if n.rpartition(".")[2].endswith("bias"))
    elif isinstance(update, str) and update.startswith("last:"):
        chosen = dict.fromkeys(_last(captured, update))
    else:
        texts = [p.strip() for p in update.split(",")] if isinstance(update, str) else list(update)
        chosen = _named(captured, [pattern(text) for text in texts])
    if not trainable:
        raise InvalidInput("update", repr(update), "no parameter has requires_grad: set it on what should learn")
    if not chosen:
        raise InvalidInput("update", repr(update), f"it selects nothing; trainable are {_some(captured.trainable)}")
    return {n: chosen[n] for n in captured.state if n in chosen}


def _named(captured: Captured, patterns: Sequence[Pattern]) -> dict[str, Part | None]:
    """What ``patterns`` say together: the largest part of each parameter."""
    known = channels(captured.graph, captured.trainable) if not all(p.whole for p in patterns) else {}
    chosen: dict[str, Part | None] = {}
    for given in patterns:
        matched = _matching(captured, given)
        able = matched if given.whole else {n for n in matched if isinstance(known[n], Part)}
        # A name is to have the part, and a glob to match something that has.
        for name in sorted(able or matched):
            part = given.of(name, known.get(name, ""))
            if name in chosen:
                before = chosen[name]
                part = None if part is None or before is None else max(part, before, key=lambda p: p.count)
            chosen[name] = part
    return chosen


def _last(captured: Captured, update: str) -> set[str]:
    trainable = set(captured.trainable)
    owned = [names for layer in captured.layers if (names := trainable.intersection(layer.names))]
    count = update.removeprefix("last:")
    if not (count.isdecimal() and len(count) < 10 and 1 <= int(count) <= len(owned)):
        given = update if len(update) < 40 else f"{update[:36]}..."
        fix = f'give "last:1" to "last:{len(owned)}": so many layers train'
        if owned and (frozen := _in_int8(captured)):
            fix = f"{fix}, the others are int8: {_float(frozen[-1])}"
        raise InvalidInput("update", repr(given), fix)
    return set().union(*owned[-int(count) :])


def _matching(captured: Captured, given: Pattern) -> set[str]:
    names = {n: n for n in captured.trainable} | {
        alias: name for alias, name in captured.aliases.items() if name in captured.trainable
    }
    found = {name for called, name in names.items() if fnmatchcase(called, given.glob)}
    frozen = [n for n in _in_int8(captured) if fnmatchcase(n, given.glob) or fnmatchcase(_bias_of(n), given.glob)]
    if frozen and not found:
        fix = f'it is int8, which does not learn: {_float(frozen[-1])}, or give update="last:1"'
        raise InvalidInput("update", repr(given.text), fix)
    if not found:
        base, bracket, _ = given.text.rpartition("[")
        if bracket and any(fnmatchcase(called, base) for called in names):
            raise InvalidInput("update", repr(given.text), SPELLING)
        near = _near(given.glob, names)
        meant = f"did you mean {near}? " if near else ""
        fix = f'{meant}give "full", "auto", "last:K", "bias" or names of {_some(captured.trainable)}'
        raise InvalidInput("update", repr(given.text), fix)
    return found


def _in_int8(captured: Captured) -> list[str]:
    """The weights of the layers that are quantised, in the order of ``state_dict()``."""
    return [name for name, array in captured.constant.items() if array.dtype == np.int8]


def _bias_of(weight: str) -> str:
    return f"{weight.removesuffix('weight')}bias"


def _float(weight: str) -> str:
    """What leaves its layer float."""
    return f'leave it float with bits={{"{weight.removesuffix(".weight")}": 32}}'


def _near(pattern: str, names: Iterable[str]) -> str:
    """The policy, name or glob of a whole module that ``pattern`` is closest to, "" for none."""
    modules = {name[:i] + ".*" for name in names for i, letter in enumerate(name) if letter == "."}
    if f"{pattern}.*" in modules:
        return f'"{pattern}.*"'
    known = [*POLICIES, *names, *sorted(modules)]
    found = get_close_matches(pattern.lower(), known, 1, 0.7)
    return f'"{found[0]}"' if found else ""


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:8])
    return f"{shown} and {len(names) - 8} more" if len(names) > 8 else shown or "none"


def trained_layers(captured: Captured) -> int:
    """Layers that own a trainable parameter: the largest K of "last:K"."""
    trainable = set(captured.trainable)
    return sum(1 for layer in captured.layers if trainable.intersection(layer.names))
