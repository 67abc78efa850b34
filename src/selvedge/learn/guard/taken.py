"""How many of the judges a new class may take, where nothing else is changed: few of many, counted exactly."""

from __future__ import annotations

import math


def most_taken(n: int, nats: float, margin: float) -> int:
    """The most of ``n`` judges that may be seen lost where ``margin`` of all samples or more is lost, with a chance of
    exp(-``nats``) at most; -1 where even none may be. By the binomial distribution (Clopper & Pearson 1934)."""
    if margin >= 1:
        return n
    odds, term = math.log(margin) - math.log1p(-margin), n * math.log1p(-margin)
    total = term
    for count in range(n):
        if total > -nats:
            return count - 1
        term += math.log((n - count) / (count + 1)) + odds
        top = max(total, term)
        total = top + math.log1p(math.exp(min(total, term) - top))
    return n - 1
