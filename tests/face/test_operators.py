"""The list of operators is the lowering table's, and the page in the documentation is that list."""

from __future__ import annotations

import json
from pathlib import Path

from selvedge.capture.lower import LOWERINGS
from selvedge.face.operators import listing

PAGE = Path(__file__).parents[2] / "docs" / "operators.md"


def test_the_page_is_what_the_command_prints() -> None:
    assert PAGE.read_text() == listing(), "selvedge operators > docs/operators.md"


def test_every_operator_but_in_place_and_refused_ones_is_listed() -> None:
    listed = {name for names in json.loads(listing(as_json=True)).values() for name in names}
    known = {aten.split(".")[1] for aten in LOWERINGS}
    assert listed <= known
    hidden = {name for name in known - listed if not name.endswith("_") and not name.startswith("_")}
    assert hidden == {"item", "nonzero"}
