"""The committed proofs are of this code."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from benchmarks import prove
from benchmarks.proofs_page import page


def test_no_committed_proof_is_stale() -> None:
    assert prove.stale() == [], "run `make prove` and commit benchmarks/results/proofs.json"


def test_what_is_not_proven_has_no_figures_and_is_a_proof_by_name() -> None:
    known = json.loads(prove.RESULTS.read_text())
    assert prove.PROOFS.keys() >= prove.UNPROVEN
    assert not prove.UNPROVEN & known.keys(), "it is proven now: take it out of UNPROVEN"


def test_the_page_is_of_the_committed_proofs() -> None:
    known = json.loads(prove.RESULTS.read_text())
    assert prove.PAGE.read_text() == page(known, prove.PROOFS)
    for name in prove.PROOFS:
        assert name in prove.PAGE.read_text()


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


def test_the_line_of_a_directive_matters(tmp_path: Path) -> None:
    path = tmp_path / "a.c"
    texts = []
    for text in (
        "#define A 1\nint f;",
        "#define  A 1 /* x */\n\nint\nf;",
        "#define A \\\n 1\nint f;",
        "#define A 1 int f;",
    ):
        path.write_text(text)
        texts.append(prove.code(path))
    assert texts[0] == texts[1] == texts[2] != texts[3]


def test_every_proof_names_the_test_that_it_runs() -> None:
    tests = {
        "random models, interpreter": "tests/capture/test_random_models.py",
        "operators on PyTorch's own samples": "tests/capture/test_operator_database.py",
        "random models, native": "tests/make/test_random_models_native.py",
        "parts of random models, native": "tests/make/test_parts.py",
        "changes that a refusal proposes": "tests/make/test_change.py",
        "random models in fewer bytes": "tests/make/test_trade.py",
        "zoo gradients, and twenty steps in double": "tests/make/test_gradients.py",
        "the zoo's networks at full width": "tests/zoo/test_gradients.py",
        "bytes of accumulation, clipping and state": "tests/make/test_optimizer_bytes.py",
        "state in fewer bytes, five seeds": "benchmarks/prove_state.py",
        "POET's case, executed": "benchmarks/prove_poet.py",
        "a step in half the bytes": "benchmarks/prove_lighter.py",
        "demo, five seeds": "benchmarks/prove_demo.py",
        "what to update, four transfers": "benchmarks/prove_auto.py",
        "a character model's ten owners": "benchmarks/prove_personal.py",
        "every zoo model at its bound": "benchmarks/prove_zoo.py",
        "memory of every zoo network, with peers": "benchmarks/prove_memory.py",
        "the backward by channels": "tests/planning/test_channels.py",
    }
    folders = {"small steps against an exhaustive search": "tests/planning/saving"}
    assert (tests | folders).keys() == prove.PROOFS.keys()
    for name, test in (tests | folders).items():
        assert test in prove.PROOFS[name].sources
        assert all((prove.ROOT / source).exists() for source in prove.PROOFS[name].sources)


def test_what_a_proof_leaves_out_is_there_and_no_longer_counts() -> None:
    for name, proof in prove.PROOFS.items():
        assert all((prove.ROOT / file).is_file() for file in proof.without), name
        assert not proof.without or proof.digest() != replace(proof, without=()).digest(), name
