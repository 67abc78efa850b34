"""What the documentation shows is true. Every page of docs/, and the README, is found and run:

- ```python blocks run in order, in one namespace, in an empty directory;
- a ```text block right behind one is what it prints, compared as doctest does: "..." stands for what may differ;
- ```python from PATH is quoted: the block stands in that file of the repository, and is not run;
- a comment that begins with ``<!-- python`` runs in its place: what a page takes as given (a model, data).

Links that are relative lead to a file, and to a heading of it where they name one.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import re
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

import selvedge as sv

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
NOUNS = [page for page in PAGES if page.parent.name == "nouns" and page.name != "README.md"]
FENCE = re.compile(
    r"^```(?P<kind>[^\n]*)\n(?P<body>.*?)^```$|^<!-- python\n(?P<given>.*?)^-->$", re.DOTALL | re.MULTILINE
)


class Block(NamedTuple):
    """``kind``: what stands behind the fence; "given" for a comment. ``shown``: what it prints, where that is said."""

    kind: str
    body: str
    line: int
    shown: str | None


def blocks(text: str) -> list[Block]:
    found = list(FENCE.finditer(text))
    made = []
    for i, match in enumerate(found):
        behind = found[i + 1] if i + 1 < len(found) else None
        follows = behind is not None and behind["kind"] == "text" and not text[match.end() : behind.start()].strip()
        kind = "given" if match["given"] is not None else match["kind"].strip()
        body = match["given"] if kind == "given" else match["body"]
        line = text.count("\n", 0, match.start()) + 1
        made.append(Block(kind, body, line, behind["body"] if behind is not None and follows else None))
    return made


def run(page: Path, text: str) -> list[str]:
    """Run the blocks of ``text``; what is not as shown, a line or more each."""
    module, faults = ModuleType("page"), []
    for block in blocks(text):
        if block.kind not in ("python", "given"):
            continue
        # A traceback, and a refusal that names the user's line, then name the page's own.
        code = compile("\n" * block.line + block.body, str(page), "exec", dont_inherit=True)
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(code, module.__dict__)
        if block.shown is not None and not same(block.shown, printed.getvalue()):
            faults.append(f"{page.name}:{block.line} shows\n{block.shown}and prints\n{printed.getvalue()}")
    return faults


def same(shown: str, printed: str) -> bool:
    return doctest.OutputChecker().check_output(shown, printed, doctest.ELLIPSIS)


def anchors(text: str) -> set[str]:
    """The headings as GitHub names them."""
    prose = FENCE.sub("", text)
    heads = re.findall(r"^#+ +(.*)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


def astray(page: Path, text: str) -> list[str]:
    """The relative links of ``text`` that lead nowhere."""
    found = []
    for target in map("".join, re.findall(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"", FENCE.sub("", text))):
        path, _, heading = target.partition("#")
        there = page.parent / path if path else page
        if re.match(r"[a-z]+:", target):
            continue
        if (path and not there.exists()) or (heading and heading not in anchors(there.read_text() if path else text)):
            found.append(target)
    return found


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", [page for page in PAGES if "```python" in page.read_text()], ids=named)
def test_a_page_does_what_it_shows(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    faults = run(page, page.read_text())
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_what_a_page_quotes_stands_in_the_file(page: Path) -> None:
    for block in blocks(page.read_text()):
        if block.kind.startswith("python from "):
            assert block.body.strip() in (ROOT / block.kind.removeprefix("python from ")).read_text(), block
        else:
            assert block.kind in ("python", "given", "text", "console", "toml", "c"), f"{page.name}:{block.line}"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    assert astray(page, page.read_text()) == []


def test_a_link_astray_is_a_fault() -> None:
    page = ROOT / "docs" / "page.md"
    good = "[a](all-of-selvedge.md#four-verbs) [b](adr/) [c](https://example.org/d.md) [e](#f)\n## F\n"
    assert astray(page, good + "```c\n[g](h)\n```\n") == []
    bad = ["nowhere.md", "all-of-selvedge.md#five-verbs", "#g"]
    assert astray(page, good + "".join(f"[a]({target})" for target in bad)) == bad


def test_what_is_printed_otherwise_is_a_fault(tmp_path: Path) -> None:
    text = "```python\nprint(1 + 1, 'a b')\n```\n\n```text\n{}\n```\n"
    page = tmp_path / "page.md"
    assert run(page, text.format("2 a b")) == run(page, text.format("2 ...b")) == []
    for shown in ("3 a b", "2 a", "2 a  b", ""):
        assert len(run(page, text.format(shown))) == 1, shown
    with pytest.raises(ZeroDivisionError):
        run(page, "<!-- python\nzero = 0\n-->\n\n```python\n1 / zero\n```\n")


def test_the_board_in_the_docs_loads(tmp_path: Path) -> None:
    toml = next(b for b in blocks((ROOT / "docs" / "all-of-selvedge.md").read_text()) if b.kind == "toml")
    (tmp_path / "board.toml").write_text(toml.body)
    device = sv.Device.load(tmp_path / "board.toml")
    assert (device.ram, device.flash, device.reserved_ram) == (128 * 1024, 512 * 1024, 8 * 1024)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_public_name_that_a_page_uses_exists(page: Path) -> None:
    for name in set(re.findall(r"\bsv\.(\w+)", page.read_text())):
        assert hasattr(sv, name), name


def test_every_public_name_has_its_place_on_a_page_of_a_noun() -> None:
    told = set(re.findall(r"\bsv\.(\w+)", "".join(page.read_text() for page in NOUNS)))
    assert set(sv.__all__) - {"__version__"} <= told


@pytest.mark.parametrize("page", NOUNS, ids=named)
def test_a_noun_has_a_short_page_that_the_index_names(page: Path) -> None:
    text = page.read_text()
    assert 40 <= len(text.splitlines()) <= 90
    found = blocks(text)
    assert sum(b.shown is not None for b in found) == sum(b.kind == "text" for b in found) > 0
    assert f"]({page.name})" in (page.parent / "README.md").read_text()
