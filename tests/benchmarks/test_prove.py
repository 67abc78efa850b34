"""The committed proofs are of this code."""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import FrameType

import numpy as np
import pytest
import torch

import selvedge as sv
from benchmarks import again, beside, programs, prove
from benchmarks.proofs_page import page
from benchmarks.prove import kept
from benchmarks.prove.__main__ import main


def test_no_committed_proof_is_stale() -> None:
    assert prove.stale() == [], "run `make prove` and commit benchmarks/results/proofs.json"


def test_what_is_not_proven_has_no_figures_and_is_a_proof_by_name() -> None:
    known = json.loads(prove.RESULTS.read_text())
    assert prove.PROOFS.keys() >= prove.UNPROVEN.keys()
    assert not prove.UNPROVEN.keys() & known.keys(), "it is proven now: take it out of UNPROVEN"


def test_the_page_is_of_the_committed_proofs() -> None:
    known = json.loads(prove.RESULTS.read_text())
    assert prove.PAGE.read_text() == page(known, prove.PROOFS, prove.UNPROVEN)
    for name in prove.PROOFS:
        assert name in prove.PAGE.read_text()
    for name, why in prove.UNPROVEN.items():
        assert f"- {name}: {why}." in prove.PAGE.read_text()


def test_a_proof_is_of_the_code_it_was_made_of_or_seen_again_with() -> None:
    made = {"digest": "a", "figures": {}, "again": {"digest": "b"}}
    assert prove.current(made, "a")
    assert prove.current(made, "b")
    assert not prove.current(made, "c")
    assert not prove.current({}, "a")


def test_a_result_is_kept_beside_those_of_other_proofs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    published: list[object] = []
    monkeypatch.setattr(kept, "RESULTS", tmp_path / "proofs.json")
    monkeypatch.setattr(kept, "publish", published.append)
    assert prove.known() == {}
    for name, digest in (("one", "a"), ("other", "b"), ("one", "c")):
        prove.keep(name, {"digest": digest})
    assert prove.known() == {"one": {"digest": "c"}, "other": {"digest": "b"}}
    assert published[-1] == prove.known()
    assert len(published) == 3


def test_a_tenth_is_run_again_and_the_page_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "random models, interpreter"
    test = tmp_path / "test_counted.py"
    test.write_text("import os\n\ndef test_count():\n    assert os.environ['SELVEDGE_EXAMPLES'] == '40'\n")
    made = {"digest": "old", "seconds": 1.0, "figures": {"test": str(test), "examples": 400, "result": "1 passed"}}
    results = tmp_path / "proofs.json"
    results.write_text(json.dumps({name: made}))
    monkeypatch.setattr(kept, "RESULTS", results)
    monkeypatch.setattr(kept, "publish", lambda results: None)
    assert main(["--again", name]) == 0
    known = json.loads(results.read_text())
    assert prove.current(known[name], prove.PROOFS[name].digest())
    assert {**known[name], "again": None} == {**made, "again": None}
    assert known[name]["again"]["examples"] == 40
    assert "40 again: 1 passed" in page(known, [name])
    test.write_text("def test_count():\n    raise AssertionError\n")
    assert main(["--again", name]) == 1


def test_what_a_proof_missed_fails_and_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name, test = "random models, interpreter", "tests/capture/test_random_models.py"
    figures = {"test": test, "examples": 400, "result": "1 passed", "missed": ["one above"]}
    monkeypatch.setattr(kept, "RESULTS", tmp_path / "proofs.json")
    monkeypatch.setattr(kept, "publish", lambda results: None)
    monkeypatch.setattr("benchmarks.prove.__main__.PROOFS", {name: replace(prove.PROOFS[name], run=lambda: figures)})
    assert main([name]) == 1
    assert f"FAILED {name}: one above" in capsys.readouterr().out
    assert main([name]) == 1
    monkeypatch.setattr("benchmarks.prove.__main__.stale", list)
    assert main([]) == 1  # nothing is stale, and it is a failure still
    assert "**missed**: one above" in page(json.loads((tmp_path / "proofs.json").read_text()), [name])


def test_a_name_that_is_no_proof_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(kept, "RESULTS", tmp_path / "none.json")
    assert main(["no such"]) == 2
    assert capsys.readouterr().err.startswith("benchmarks.prove: 'no such' is no proof: choose of ")
    assert main(["--again", "a character model's ten owners"]) == 2
    assert "has no full run to see again" in capsys.readouterr().err
    assert main(["--help"]) == 2


def test_what_counts_nothing_is_made_in_full() -> None:
    with pytest.raises(AssertionError, match="make it in full"):
        prove.seen_again("demo, five seeds", {"figures": {"seeds": {}}})


def test_a_tenth_of_a_table_is_drawn_by_the_digest() -> None:
    everything = list(range(28))
    draws = {tuple(again.drawn(everything, str(digest))) for digest in range(40)}
    assert all(len(drawn) == 3 and list(drawn) == sorted(set(drawn)) for drawn in draws)
    assert set(everything) == {n for drawn in draws for n in drawn}, "some row is never drawn"
    assert again.drawn(everything, "a") == again.drawn(everything, "a")
    assert again.drawn([7], "a") == [7]


def test_a_row_that_comes_out_otherwise_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "every zoo model at its bound"
    known = json.loads(prove.RESULTS.read_text())[name]["figures"]
    row = next(row for row in known["rows"] if row["model"] == "deep_autoencoder")
    made = prove.seen_again(name, {"figures": {"rows": [row]}})
    assert made == {
        "digest": prove.PROOFS[name].digest(), "examples": 1, "result": "the same places (deep_autoencoder)"
    }  # fmt: skip
    with pytest.raises(AssertionError, match=r"deep_autoencoder, kernels: \d+ now, 3 as committed"):
        prove.seen_again(name, {"figures": {"rows": [{**row, "kernels": 3}]}})


def test_a_tenth_of_the_cases_of_a_test(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").touch()  # names begin here, wherever the project lies
    test = tmp_path / "test_cases.py"
    test.write_text("import pytest\n\n@pytest.mark.parametrize('n', range(30))\ndef test_one(n):\n    assert n >= 0\n")
    count, told = again.tests(str(test), "a", lambda chosen: " ".join(chosen))
    assert count == 3
    assert told.split() == again.drawn([f"{test.name}::test_one[{n}]" for n in range(30)], "a")


def test_a_plan_counts_by_the_text_it_becomes() -> None:
    def text(update: str, seed: int) -> dict[str, str]:
        torch.manual_seed(seed)
        model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
        plan = sv.plan(model, torch.zeros(1, 4), device="stm32f746", update=update)
        return {n: prove.meant(t, Path(n).suffix) for n, t in programs.files(plan).items()}

    assert {"model.c", "model.h", "selvedge.h", "conv.h"} <= text("full", 0).keys()
    assert text("full", 0) == text("full", 1) != text("last:1", 0)


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
        "privacy, beside opacus and audited": "benchmarks/prove_privacy.py",
        "bytes of accumulation, clipping and state": "tests/make/test_optimizer_bytes.py",
        "state in fewer bytes, five seeds": "benchmarks/prove_state.py",
        "POET's case, executed": "benchmarks/prove_poet.py",
        "a step in half the bytes": "benchmarks/prove_lighter.py",
        "demo, five seeds": "benchmarks/prove_demo.py",
        "what to update, four transfers": "benchmarks/prove_auto.py",
        "a character model's ten owners": "benchmarks/prove_personal.py",
        "a learner killed 1,000 times": "tests/learn/test_kill_live.py",
        "federated rounds under mixed faults": "tests/federate/test_chaos.py",
        "masked sums under faults by lot": "benchmarks/prove_masking.py",
        "masked sums, any order of events": "tests/federate/masking/test_machine.py",
        "int8 networks of the zoo, every tensor": "tests/formats/tflite/test_zoo_native.py",
        "quantised networks, five seeds": "benchmarks/prove_quantise.py",
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


def test_a_step_of_floats_runs_nothing_that_is_left_out() -> None:
    """And one that quantises does: what is left out of every digest is left out of what every proof runs."""
    assert all((prove.ROOT / one).exists() for one in prove.APART)
    native = prove.ROOT / "native"
    assert {path.name for kind in ("int8*", "sparse*") for path in native.glob(kind)} == {
        Path(one).name for one in prove.APART if one.startswith("native")
    }
    model = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.ReLU6(), torch.nn.MaxPool2d(2),
        torch.nn.Flatten(), torch.nn.Linear(36, 3),
    )  # fmt: skip
    x = torch.randn(32, 1, 8, 8)

    def step() -> None:
        sv.compile(sv.plan(model, x[:1], device="stm32f746", update="auto")).step(x[:1].numpy(), np.array([1]))

    step()  # what is imported is
    assert _called(step) == set()
    made = sv.quantise(model.eval(), x)
    assert "src/selvedge/ir/joined.py" in _called(lambda: sv.plan_inference(made, x[:1], device="stm32f746"))


def _called(function: Callable[[], object]) -> set[str]:
    """What of :data:`benchmarks.prove.APART` has functions that ``function`` calls."""
    found: set[str] = set()

    def saw(frame: FrameType, event: str, argument: object) -> None:
        if event == "call":
            found.add(frame.f_code.co_filename)

    gc.collect()
    gc.disable()  # what other tests have left would be ended, and called, in between
    sys.setprofile(saw)
    try:
        function()
    finally:
        sys.setprofile(None)
        gc.enable()
    return {one for one in prove.APART for file in found if Path(file).is_relative_to(prove.ROOT / one)}


def test_a_tenth_beside_an_earlier_commit_wants_both_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert beside.main(["60892af", "demo, five seeds"]) == 2
    assert capsys.readouterr().err.startswith("benchmarks.beside: give a commit and one of ")
    assert set(beside.CASES) <= set(prove.PROOFS)
