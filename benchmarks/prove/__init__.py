"""The long proofs, made once; their figures are committed and checked for staleness: ``python -m benchmarks.prove``.

Each proof names the sources that it speaks of. One that counts examples may be seen again with a tenth of them after a
change: ``--again`` (docs/adr/0023).
"""

from .kept import PAGE, RESULTS, keep, known
from .meaning import code, meant
from .proof import Proof
from .proofs import PROOFS, UNPROVEN
from .seen import seen_again
from .sources import APART, ROOT
from .staleness import current, stale

__all__ = [
    "APART", "PAGE", "PROOFS", "RESULTS", "ROOT", "UNPROVEN", "Proof", "code", "current", "keep", "known", "meant",
    "seen_again", "stale",
]  # fmt: skip
