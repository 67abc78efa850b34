"""How a command ends, and where tables go."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.command import command
from benchmarks.written import figures, tables
from selvedge.errors import InvalidInput


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (None, 0, ""),
        (InvalidInput("--window", 3, "give 64"), 2, "x: --window is 3: give 64\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_a_command_ends_with_its_code(
    raised: BaseException | None, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def main() -> int:
        if raised:
            raise raised
        return 0

    with pytest.raises(SystemExit) as ended:
        command("x", main)
    assert ended.value.code == code
    assert capsys.readouterr().err == said


def test_all_tables_of_a_page_are_written_or_none(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A\n<!-- bench:a -->\nold\n<!-- /bench:a -->\nb\n<!-- bench:c -->\n<!-- /bench:c -->\n")
    before = page.read_text()
    with pytest.raises(ValueError, match="not found"):
        tables(page, {"a": "new", "absent": "x"})
    assert page.read_text() == before
    tables(page, {"a": "new", "c": "too"})
    assert page.read_text() == before.replace("old", "new").replace(":c -->\n<", ":c -->\ntoo\n<")
    figures({"rows": [1]}, tmp_path / "figures.json")
    assert (tmp_path / "figures.json").read_text() == '{\n "rows": [\n  1\n ]\n}\n'
