"""What is committed of the proofs: their figures, of which sources they are, and the pages that quote them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from selvedge.artifact import files

from ..proofs_page import page
from .proofs import PROOFS, UNPROVEN
from .sources import ROOT

RESULTS = ROOT / "benchmarks" / "results" / "proofs.json"
PAGE = ROOT / "docs" / "proofs.md"
README = ROOT / "README.md"


def known() -> dict[str, Any]:
    """Proof -> its result: "digest", "figures", "seconds", and "again" where a tenth was seen again."""
    found: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    return found


def keep(name: str, result: Mapping[str, Any]) -> None:
    """Writes ``result``, and what people read of all."""
    results = {**known(), name: result}
    files.write(RESULTS, (json.dumps(results, indent=1) + "\n").encode())
    publish(results)


def publish(results: Mapping[str, Any]) -> None:
    """The results as people read them: the page of proofs, and the README's table of the zoo's memory."""
    from ..memory_page import shown

    files.write(PAGE, page(results, PROOFS, UNPROVEN).encode())
    files.write(README, shown(README.read_text(), results).encode())
