"""What the page that teaches shows is true."""

from __future__ import annotations

import re
from pathlib import Path

import selvedge as sv

PAGE = (Path(__file__).parents[1] / "docs" / "all-of-selvedge.md").read_text()


def test_the_board_in_the_docs_loads(tmp_path: Path) -> None:
    found = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    (tmp_path / "board.toml").write_text(found[1])
    device = sv.Device.load(tmp_path / "board.toml")
    assert (device.ram, device.flash, device.reserved_ram) == (128 * 1024, 512 * 1024, 8 * 1024)


def test_every_public_name_that_the_docs_use_exists() -> None:
    for name in set(re.findall(r"\bsv\.(\w+)", PAGE)):
        assert hasattr(sv, name), name
