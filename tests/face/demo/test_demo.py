"""The main job, end to end through the command line, for one seed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from selvedge.errors import InvalidInput
from selvedge.face.demo.display import Silent
from selvedge.face.demo.run import run
from selvedge.face.demo.story import tell


def selvedge(*arguments: str, before: str = "") -> subprocess.CompletedProcess[str]:
    command = f"{before}\nfrom selvedge.face.cli import main; main()"
    return subprocess.run([sys.executable, "-c", command, *arguments], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str]:
    """(the JSON figures, the report) of seed 0."""
    report = tmp_path_factory.mktemp("demo") / "page.html"
    ran = selvedge("demo", "--json", "--report", str(report))
    assert ran.returncode == 0, ran.stderr
    assert [p.name for p in report.parent.iterdir()] == ["page.html"]
    return json.loads(ran.stdout), report.read_text(encoding="utf-8")


def test_the_adapted_model_gains_on_the_new_camera_and_keeps_the_old(done: tuple[dict[str, Any], str]) -> None:
    found, _ = done
    assert 0.40 <= found["shifted_before"] <= 0.75
    assert found["shifted_after"] - found["shifted_before"] >= 0.10
    assert found["clean_before"] - found["clean_after"] <= 0.03
    assert found["shifted_after"] > found["baselines"]["last_layer"]["shifted_after"]


def test_the_plan_chooses_and_is_kept_to_the_byte(done: tuple[dict[str, Any], str]) -> None:
    found, _ = done
    assert found["arena_predicted"] == found["arena_measured"]
    whole = found["reserved_ram"] + found["replay_bytes"] + found["arena_predicted"]
    assert whole <= found["device_ram"] == 64 * 1024
    assert found["stack_measured"] <= found["reserved_ram"]
    assert found["update"] == "last:2"
    assert found["full_update_bytes"] > found["budget_ram"]
    assert "RAM does not fit" in found["refusal"]
    assert found["arena_predicted"] < found["torch_bytes"] < found["torch_full_bytes"]


def test_the_readme_shows_the_bytes_of_this_plan(done: tuple[dict[str, Any], str]) -> None:
    found, _ = done
    readme = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
    shown = " ".join(readme.partition("$ make demo")[2].partition("```")[0].split())
    assert " ".join(found["refusal"].split()) in shown
    assert f"in {found['arena_predicted']:,} B" in shown
    assert f"shows {found['arena_measured']:,} B of arena" in shown
    assert f"{found['torch_full_bytes']:,} B" in shown


class References(HTMLParser):
    """Everything a page would load, and whether its tags close."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.found += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "action")]


def test_the_report_needs_nothing_but_itself(done: tuple[dict[str, Any], str]) -> None:
    found, page = done
    references = References()
    references.feed(page)
    assert references.found
    assert all(value.startswith("data:image/png;base64,") for value in references.found)
    assert not {"link", "iframe"} & references.tags
    assert not re.search(r"https?:|@import|url\(", page)
    assert "prefers-color-scheme: dark" in page
    assert "width=device-width" in page
    for shown in (f"{found['arena_predicted']:,} B", f"{found['torch_bytes']:,} B", f"{found['shifted_after']:.1%}"):
        assert shown in page


def test_a_bad_seed_or_place_is_refused_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="seed is -1"):
        tell(-1, Silent())
    with pytest.raises(InvalidInput, match="it is a directory"):
        run(0, tmp_path, True)
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput, match="nothing can be written in"):
        run(0, tmp_path / "file" / "page.html", True)


def test_without_scikit_learn_there_is_one_line_and_no_report(tmp_path: Path) -> None:
    missing = "import sys; sys.modules['sklearn'] = None; sys.modules['sklearn.datasets'] = None"
    ran = selvedge("demo", "--json", "--report", str(tmp_path / "page.html"), before=missing)
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert ran.stderr.count("\n") == 1
    assert "pip install 'scikit-learn>=1.5'" in ran.stderr
    assert not list(tmp_path.iterdir())


def test_an_interrupt_leaves_no_half_written_report(tmp_path: Path) -> None:
    """Interrupted in the middle of the adaptation, with the panel live."""
    before = (
        "def stop(self, *_): raise KeyboardInterrupt\n"
        "import selvedge.face.demo.display as d; d.Terminal.progress = stop"
    )
    ran = selvedge("demo", "--report", str(tmp_path / "page.html"), before=before)
    assert ran.returncode == 130
    assert ran.stderr == "selvedge: interrupted\n"
    assert not list(tmp_path.iterdir())
