"""What a member sees to before it answers: each a function that raises :class:`Refused`, or nothing.

Each of them keeps a server from something; the tests take each away and do it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence

from ..keys import signed
from ..message import Refused
from .covering import thinnest
from .demands import Demands
from .terms import STAGES, Terms
from .wire import Keys, Span


def group(terms: Terms, demands: Demands) -> None:
    """A group so small, or a threshold so low, that what is unmasked is nearly one member's."""
    n, least = len(terms.cohort), demands.threshold(len(terms.cohort))
    if n < demands.members:
        raise Refused(f"a group of {n} members where {demands.members} are the least")
    if terms.threshold < least:
        raise Refused(f"a threshold of {terms.threshold} of {n} members where {least} is the least")


def joined(terms: Terms, demands: Demands) -> None:
    """A round of another run, or of other rules, than this member has joined: of a run that has its name tasks begin
    anew, so that what was summed once is summed again with one member less."""
    if demands.run and terms.run != demands.run:
        raise Refused(f"a round of {terms.run} where {demands.run} was joined")
    if demands.rules and terms.rules != demands.rules:
        raise Refused("a round under other rules than this member was invited to")


def fresh_task(last: int | None, terms: Terms) -> None:
    """A round that was had: with another set of survivors its sum would differ by one member's values."""
    if last is not None and terms.task <= last:
        raise Refused(f"task {terms.task} of {terms.run} was had, or is older than one that was")


def fresh_keys(seen: Collection[bytes], keys: Mapping[str, Iterable[bytes]]) -> None:
    """A round key of an earlier round, whose secret the server may have recovered in it. keys: by member."""
    for name, own in keys.items():
        if any(mark(key) in seen for key in own):
            raise Refused(f"a round key of {name} that was seen in an earlier round", of=name)


def same_terms(digest: bytes, terms: Terms) -> None:
    """One member told otherwise than others: of another model, another cohort, another threshold."""
    if digest != terms.digest:
        raise Refused("not of the terms that this member was told")


def signed_keys(keys: Keys, identity: bytes) -> None:
    """Round keys that are not their member's."""
    if not signed(keys.signed, keys.signature, identity):
        raise Refused("round keys that are not signed by who they are of")


def distinct(identities: Sequence[bytes], keys: Sequence[bytes]) -> None:
    """One that plays two members."""
    if len(set(identities)) < len(identities):
        raise Refused("two members of one identity")
    if len(set(keys)) < len(keys):
        raise Refused("a round key twice")


def mine(keys: Keys | None, text: bytes) -> None:
    """A group that this member is not in as it said."""
    if keys is None or keys.signed != text:
        raise Refused("this member's own keys are not among those of the group")


def enough(places: Collection[int], of: Collection[int], terms: Terms, me: int) -> None:
    """Fewer than the threshold, strangers, or a sum that this member is not in."""
    if not set(places) <= set(of):
        raise Refused("members that were not in the stage before")
    if len(places) < terms.threshold:
        raise Refused(f"{len(places)} members where {terms.threshold} is the threshold")
    if me not in places:
        raise Refused("this member is not among them")


def once(before: tuple[int, ...] | None, places: tuple[int, ...]) -> None:
    """A second set of survivors in one round: who is in one of them only is both alive and dead, and bare."""
    if before is not None and before != places:
        raise Refused("a second set of survivors in one round")


def quorum(text: bytes, signatures: Mapping[int, bytes], identities: Mapping[int, bytes], terms: Terms) -> None:
    """Another set of survivors for each member: at least the threshold must have signed this one."""
    if len(signatures) < terms.threshold:
        raise Refused(f"{len(signatures)} signatures where {terms.threshold} is the threshold")
    for place, signature in signatures.items():
        if place not in identities or not signed(text, signature, identities[place]):
            raise Refused(f"the survivors are not signed by {terms.cohort[place]}")


def covered(spans: Iterable[tuple[Span, ...]], terms: Terms, demands: Demands) -> None:
    """An element that hardly anybody else has: its sum is nearly this member's value."""
    need = max(terms.covered, demands.covered)
    least, where = thinnest(spans, terms.size)
    if least < need:
        raise Refused(f"element {where} is of {least} members where {need} are the least")


def carried(alive: Collection[int], carrying: Collection[int], demands: Demands) -> None:
    """A sum in which what earlier rounds have left is that of hardly anybody."""
    left = len(set(alive) & set(carrying))
    if 0 < left < demands.least:
        raise Refused(f"what earlier rounds left is of {left} members where {demands.least} are the least")


def model(terms: Terms, data: bytes) -> None:
    """Another model than all were told of: what one learns from it alone can be told from the sum."""
    if hashlib.sha256(data).hexdigest() != terms.model:
        raise Refused("not the model that the terms name")


def order(before: str, stage: str) -> None:
    """The next stage, or the same again."""
    if STAGES.index(stage) - STAGES.index(before) not in (0, 1):
        raise Refused(f"{stage} after {before}")


def again(before: bytes, now: bytes) -> None:
    """The same again, but another: two answers would tell their difference."""
    if before != now:
        raise Refused("the same stage again with something else")


def mark(key: bytes) -> bytes:
    """What is kept of a round key that was seen."""
    return hashlib.sha256(key).digest()[:8]
