"""The committed proofs are of this code."""

from __future__ import annotations

from pathlib import Path

from benchmarks import prove


def test_no_committed_proof_is_stale() -> None:
    assert prove.stale() == [], "run `make prove` and commit benchmarks/results/proofs.json"


def test_comments_do_not_make_a_proof_stale_but_code_does(tmp_path: Path) -> None:
    for name, first, same, other in (
        (
            "a.py",
            'def f():\n    """One."""\n    return 1\n',
            "def f():\n    'Two.'\n    return  1  # one\n",
            "def f():\n    'x'\n    return 2\n",
        ),
        ("a.c", "int f(void) { return 1; } /* one */", "int f(void)\n{ return 1; }", "int f(void) { return 2; }"),
    ):  # fmt: skip
        path = tmp_path / name
        texts = []
        for text in (first, same, other):
            path.write_text(text)
            texts.append(prove.code(path))
        assert texts[0] == texts[1]
        assert texts[0] != texts[2]
