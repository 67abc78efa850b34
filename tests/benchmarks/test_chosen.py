"""What of its cells a benchmark is asked for: some of each axis, or all, and a word that is of none is one line."""

from __future__ import annotations

import pytest

from benchmarks.chosen import Chosen, chosen

AXES = {"targets": ("c", "onnx", "tvm"), "kinds": {"float": 0, "train": 1}}


def asked(*arguments: str, shown: str = "the table") -> Chosen | None:
    return chosen("x", "What runs.", "A file a cell.", AXES, "docs/x.md", arguments, shown=shown)


def test_what_is_not_named_is_all_of_its_axis() -> None:
    assert asked() == Chosen({"targets": ["c", "onnx", "tvm"], "kinds": ["float", "train"]}, False, False)
    assert asked("--targets", "tvm,c", "--show") == Chosen(
        {"targets": ["tvm", "c"], "kinds": ["float", "train"]}, True, False
    )
    assert asked("--kinds", "train", "--write") == Chosen(
        {"targets": ["c", "onnx", "tvm"], "kinds": ["train"]}, False, True
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--targets", "c,onyx,tmv"), "benchmarks.x: --targets is onyx: give some of c, onnx, tvm\n"),
        (("--kinds", "c"), "benchmarks.x: --kinds is c: give some of float, train\n"),
        (("--kinds", "float,"), "benchmarks.x: --kinds is : give some of float, train\n"),
        (("--kinds", "a", "--targets", "b"), "benchmarks.x: --targets is b: give some of c, onnx, tvm\n"),
    ],
)
def test_a_word_of_no_axis_is_one_line(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asked(*arguments) is None
    assert capsys.readouterr().err == said


def test_the_help_says_what_is_shown_and_written(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        asked("--help", shown="both tables")
    assert ended.value.code == 0
    told = " ".join(capsys.readouterr().out.split())
    for part in (
        "python -m benchmarks.x",
        "What runs.",
        "A file a cell.",
        "only both tables of what",
        "into docs/x.md",
    ):
        assert part in told
