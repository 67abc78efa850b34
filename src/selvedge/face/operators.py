"""Which ATen operators a model may use: the lowering table as text."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping

from ..capture.lower import TITLES

WIDTH = 100


def listing(as_json: bool = False) -> str:
    """Every operator that can be captured, by family."""
    return json.dumps(TITLES, indent=1) + "\n" if as_json else page(TITLES)


def page(families: Mapping[str, tuple[str, ...]]) -> str:
    """The families as Markdown that reads well in a terminal too."""
    lines = [
        "# Operators",
        "",
        "What `torch.export` makes of a module must consist of these, by their ATen names; modules and functions",
        "of `torch.nn` come down to them. A model that uses another one is refused with its name and your own",
        "source line. In-place forms (`relu_`) count as the operator itself. `selvedge operators` prints this page.",
    ]
    for title, names in families.items():
        lines += ["", f"## {title}", "", *textwrap.wrap(", ".join(names), WIDTH)]
    return "\n".join(lines) + "\n"
