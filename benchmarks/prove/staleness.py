"""Which proofs are of other sources than these."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .kept import known
from .proofs import PROOFS, UNPROVEN


def stale() -> list[str]:
    """Names of proofs whose committed figures are missing or of other sources."""
    results = known()
    wanted = {name: proof for name, proof in PROOFS.items() if name in results or name not in UNPROVEN}
    return [name for name, proof in wanted.items() if not current(results.get(name, {}), proof.digest())]


def current(result: Mapping[str, Any], digest: str) -> bool:
    """Is ``result`` of the sources with that digest: made in full, or seen again?"""
    return digest in (result.get("digest"), result.get("again", {}).get("digest"))
