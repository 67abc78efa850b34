"""``selvedge plan --plot FILE``: a plan's pictures as a page, or its memory timeline alone as an SVG."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..artifact import files
from ..errors import InvalidInput
from .place import writable

if TYPE_CHECKING:
    from ..make.plan import Plan


def check(path: Path) -> None:
    """Raise ``InvalidInput`` for a name of another kind, or a place that cannot be written."""
    if path.suffix not in (".html", ".svg"):
        raise InvalidInput("--plot", path, "end it in .html (the whole page) or .svg (the memory timeline)")
    writable("--plot", path)


def write(plan: Plan, path: Path) -> None:
    """The page or the picture, whole or not at all."""
    from ..make import show

    files.write(path, (show.page(plan) if path.suffix == ".html" else show.picture(plan)).encode())
