"""A tenth of a proof, made again after a change. What was seen stands beside the full count (docs/adr/0023)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import again
from .proofs import PROOFS
from .tested import tested


def seen_again(name: str, result: Mapping[str, Any]) -> dict[str, Any]:
    """What of the proof was made again, a tenth: of its rows, of its examples, or of the cases of its test. Raises
    ``AssertionError`` where it comes out otherwise, and for a proof that has none of these: that is made in full."""
    proof, figures = PROOFS[name], result["figures"]
    digest, examples = proof.digest(), figures.get("examples", 0)
    if proof.again:
        count, told = proof.again(figures, digest)
    elif "test" in figures and examples < 2:  # nothing is drawn: its cases are what counts
        count, told = again.tests(figures["test"], digest, lambda chosen: tested(chosen, 1, full=True))
    else:
        count = examples // again.SHARE
        assert count, "it has no count to take a tenth of: make it in full"
        told = tested((figures["test"],), count, full=False)
    return {"digest": digest, "examples": count, "result": told}
