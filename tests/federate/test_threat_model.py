"""Each test that the threat model names is there; each threat of its tables names one, or says that there is none."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "threat-model.md").read_text()
ATTACKS = "tests/federate/masking/test_attacks.py"
HEAD = "| threat | what holds, and why | what does not | test |"


def named(text: str) -> list[tuple[str, str]]:
    """(path, function or case) of each test that ``text`` names."""
    tests = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)
    return [*tests, *((ATTACKS, case) for case in re.findall(r"`attack: ([a-z -]+)`", text))]


def there(path: str) -> set[str]:
    """The tests of a file, and the cases that it has by name."""
    tree = ast.parse((ROOT / path).read_text())
    tests = {
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }
    cases = {key.value for node in ast.walk(tree) if isinstance(node, ast.Dict) for key in node.keys
             if isinstance(key, ast.Constant) and isinstance(key.value, str)}  # fmt: skip
    return tests | cases


def threats() -> list[str]:
    """The rows of the tables of threats."""
    found = []
    for table in PAGE.split(HEAD)[1:]:
        found += [row for row in table.split("\n\n")[0].splitlines() if row and not row.startswith("|---")]
    return found


def test_each_threat_is_told_in_full() -> None:
    rows = threats()
    assert len(rows) > 35
    for row in rows:
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert len(cells) == 4, row
        assert cells[0], row
        assert cells[1], row
        assert bool(named(cells[3])) is not cells[3].startswith("not tested: "), row


@pytest.mark.parametrize("path", sorted({path for path, _ in named(PAGE)}))
def test_each_test_that_is_named_is_there(path: str) -> None:
    room = Path("src/selvedge") / Path(path).parent.relative_to("tests")
    if not (ROOT / room).is_dir():
        pytest.skip(f"{room} is not in this tree")
    assert {name for of, name in named(PAGE) if of == path} - there(path) == set()


def test_each_attack_of_a_server_is_a_threat_of_the_page() -> None:
    tree = ast.parse((ROOT / ATTACKS).read_text())
    (attacks,) = (
        node.value for node in tree.body
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "ATTACKS" for t in node.targets)
    )  # fmt: skip
    assert isinstance(attacks, ast.Dict)
    cases = {key.value for key in attacks.keys if isinstance(key, ast.Constant)}
    assert cases == {name for path, name in named(PAGE) if path == ATTACKS and not name.startswith("test_")}


def test_a_name_that_is_none_is_noticed() -> None:
    assert named("`tests/federate/test_message.py::test_nothing`, `attack: no such thing`") == [
        ("tests/federate/test_message.py", "test_nothing"), (ATTACKS, "no such thing"),
    ]  # fmt: skip
    assert "test_nothing" not in there("tests/federate/test_message.py")
