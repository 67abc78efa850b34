"""A proof: what is run, and the sources that it speaks of.

Its digest is of their code alone - comments, docstrings and white space do not count - so a proof goes stale exactly
when something that could change its outcome changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import selvedge as sv

from .. import programs
from ..again import Found
from .meaning import code, meant
from .sources import APART, BESIDE, ROOT


@dataclass(frozen=True)
class Proof:
    """``run`` raises if the claim fails, and returns the figures to quote; or names under ``missed`` what of the claim
    fails where the rest is worth showing: it counts as failed, and is shown with what it missed.

    ``sources``: files and folders; ``without``: those within that it does not run, besides :data:`APART`.
    ``programs``: all that it runs of what the planner and the emitter make; then these count by their text, and not by
    the sources that made it. ``again``: makes a tenth of the rows again, of the committed figures and the digest that
    draws them.
    """

    run: Callable[[], dict[str, Any]]
    sources: tuple[str, ...]
    without: tuple[str, ...] = ()
    programs: Callable[[], Iterable[sv.Plan]] | None = None
    again: Callable[[Mapping[str, Any], str], Found] | None = None
    int8: bool = False

    def digest(self) -> str:
        found: list[Path] = []
        for source in self.sources:
            path = ROOT / source
            found += sorted(path.rglob("*")) if path.is_dir() else [path]
        digest = hashlib.sha256()
        for path in found:
            without = (*self.without, *(BESIDE if self.int8 else APART))
            left_out = any(path.is_relative_to(ROOT / one) for one in without)
            if path.suffix in (".py", ".c", ".h", ".toml") and not left_out:
                digest.update(f"{path.relative_to(ROOT)}\n{code(path)}\n".encode())
        for plan in self.programs() if self.programs else ():
            for name, text in programs.files(plan).items():
                digest.update(f"{name}\n{meant(text, Path(name).suffix)}\n".encode())
        return digest.hexdigest()
