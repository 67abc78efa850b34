"""What error feedback has left of earlier rounds, and in whose company alone it is said.

What a device has left is of its earlier changes. Were it in a sum in which nobody else has anything left, and of a
model from which nobody learns, the sum would be that device's earlier change: and who has what left is for a server to
choose, by whom it asks when. So each member says, signed with its round keys, its *past*: a digest of the rounds, one
behind the other, whose sums have left it something. Those of one past were in the same rounds, all of them, and each
has said what it had left in the same sums as the others. What is left is added where at least the threshold have the
same past, and by these; all others begin anew. And no member agrees to a sum in which but a few of them are.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping

from .terms import Terms
from .wire import PAST

NONE = bytes(PAST)  # of who has nothing left


def after(past: bytes, terms: Terms) -> bytes:
    """The past of a member whose values have left it in the round of ``terms``. past: what it added was of; of who
    added nothing, :data:`NONE`."""
    return hashlib.sha256(b"selvedge past\n" + past + terms.digest).digest()[:PAST]


def carriers(pasts: Mapping[int, bytes], terms: Terms) -> frozenset[int]:
    """Of those who shared, whose ``pasts`` these are, the places of those who add what they have left: all of one past,
    where they are at least the threshold; else nobody."""
    counted = Counter(past for past in pasts.values() if past != NONE)
    for past, members in counted.most_common(1):
        if members >= terms.threshold:
            return frozenset(place for place, own in pasts.items() if own == past)
    return frozenset()
