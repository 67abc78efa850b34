"""Which feature of the student goes with which of the teacher, where nobody says so.

A network's stages are the last features before its resolution changes; those of one resolution go together. Where there
are none (a plain MLP, a transformer), or none agree, the features nearest to a third, two thirds and the whole of the
depth do. Dropout is never one: what it lets through is drawn. The same networks give the same pairs.
"""

from __future__ import annotations

from collections.abc import Sequence

from .features import Feature

SHARES = (1 / 3, 2 / 3, 1.0)
Pair = tuple[Feature, Feature]


def stages(features: Sequence[Feature]) -> list[Feature]:
    """The features that stand for a network, in order."""
    features = [f for f in features if "Dropout" not in f.kind]
    found: dict[tuple[int, ...], Feature] = {}
    for feature in features:
        found.pop(feature.sides, None)
        found[feature.sides] = feature
    if len(found) > 1 or not features:
        return list(found.values())
    made: dict[str, Feature] = {}
    for share in SHARES:
        near = min(features, key=lambda f: (abs(f.depth - share), -f.depth))
        made.setdefault(near.path, near)
    made.setdefault(features[-1].path, features[-1])
    return [f for f in features if f.path in made]


def matched(student: Sequence[Feature], teacher: Sequence[Feature]) -> list[Pair]:
    """Pairs of stages, in order; each feature in one pair at most."""
    ours, theirs = stages(student), stages(teacher)
    alike = any(s.sides and s.sides == t.sides for s in ours for t in theirs)
    made: list[Pair] = []
    after = 0
    for s in ours:
        left = range(after, len(theirs))
        fitting = [i for i in left if theirs[i].sides == s.sides]
        if not alike:
            fitting = [i for i in left if len(theirs[i].sides) == len(s.sides)]
        if fitting:
            i = min(fitting, key=lambda i: (abs(theirs[i].depth - s.depth), i))
            made.append((s, theirs[i]))
            after = i + 1
    return made


def default(takes: str, pairs: Sequence[Pair]) -> list[Pair]:
    """Of ``pairs`` those that a term has by default."""
    spatial = [pair for pair in pairs if pair[0].sides and pair[1].sides]
    if takes == "spatial":
        return spatial
    if takes == "middle" and pairs:
        return [min(spatial or pairs, key=lambda pair: (abs(pair[1].depth - 0.5), pair[1].depth))]
    return list(pairs[-1:])
