"""The file of contributions: plain, whole, edited by hand, and refused in one line where it is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

import selvedge as sv
from selvedge.choose import Contribution, Tensor

MADE = Contribution(
    "fisher",
    "0123",
    3,
    (
        Tensor("stem.weight", 64, 0.25, "open", (0.5, 0.75, 1.0)),
        Tensor("head.weight", 40, 1.5),
        Tensor("häd.b", 4, 0.0),
    ),
)


def test_it_is_read_back_as_it_was_with_the_greatest_first(tmp_path: Path) -> None:
    MADE.save(tmp_path / "c.toml")
    text = (tmp_path / "c.toml").read_text()
    assert text.startswith("# ")
    assert text.index("head.weight") < text.index("stem.weight") < text.index("häd.b")
    read = Contribution.load(tmp_path / "c.toml")
    assert read.ranked() == MADE.ranked()
    assert (read.method, read.of, read.total, read.complete) == ("fisher", "0123", 3, True)
    assert [p.name for p in tmp_path.iterdir()] == ["c.toml"]


def test_a_person_may_edit_it(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    MADE.save(path)
    text = path.read_text().replace("score = 1.5", "score = 2").replace('choice = "open"', 'choice = "never"', 1)
    path.write_text(text + "\n# a remark\n")
    first = Contribution.load(path).ranked()[0]
    assert (first.name, first.score, first.choice) == ("head.weight", 2.0, "never")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("score = 1.5", "score = -1", "head.weight score is -1"),
        ("score = 1.5", "score = nan", "head.weight score is nan"),
        ("score = 1.5", f"score = 1{'0' * 400}", "head.weight score is 1000"),
        ("score = 1.5", "", "head.weight score is None"),
        ("bytes = 40", 'bytes = "40"', "head.weight bytes is 40: give a whole number"),
        ('choice = "open"', 'choice = "maybe"', "choice is maybe: give one of open, always, never"),
        ('name = "head.weight"', 'name = "stem.weight"', "stem.weight is there twice"),
        ('name = "head.weight"', "", "give each [[tensor]] its name"),
        ('method = "fisher"', 'method = "guess"', "measure it anew"),
        ("total = 3", "total = true", "measure it anew"),
        ("shares = [0.5000, 0.7500, 1.0000]", "shares = [1]", "shares is"),
        ("[[tensor]]", "[[tensor", "cannot be read"),
        ("[[tensor]]", "a = " + "[" * 50_000, "cannot be read"),
    ],
)
def test_what_is_wrong_in_it_is_one_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "c.toml"
    MADE.save(path)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(sv.InvalidInput) as error:
        Contribution.load(path)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(sv.InvalidInput, match="cannot be read"):
        Contribution.load(tmp_path / "none.toml")
