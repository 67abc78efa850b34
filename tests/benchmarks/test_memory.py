"""The memory of the zoo: rows are of this code, kept one by one, and shown where they are proven."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from benchmarks import memory_page, prove, prove_memory, readme, zoo_memory
from benchmarks.peers import Failed, Missing
from benchmarks.work import NORMS, WithLoss, Work

FOUND = {"update": "full", "planned": 1_000_000, "measured": 1_000_000, "persistent": 400_000, "transient": 600_000,
         "bound": 600_000, "bound_any_order": 500_000, "proven": False}  # fmt: skip
ROW = {"model": "m", "norms": 3, "folded": 3, "full": FOUND, "lighter": FOUND, "sparse": FOUND | {"update": "last:2"},
       "auto": FOUND | {"update": "bias"}, "pytorch": 2_000_000, "executorch": 30_000_000}  # fmt: skip

SMALL = "keyword_gru?hidden=4&length=2"


def beside(function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)


def test_a_row_is_planned_as_measured_and_a_stopped_proof_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if find_spec("executorch") is None and not os.environ.get("SELVEDGE_REQUIRE_ALL"):
        pytest.skip("executorch is in the extra `bench` only")
    monkeypatch.setattr(prove_memory, "_apart", beside)
    monkeypatch.setenv("SELVEDGE_BENCHMARKS_SCRATCH", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    (tmp_path / "kept" / "other code").mkdir(parents=True)
    (row,), wrong = prove_memory.rows([SMALL], "digest", tmp_path / "kept")
    assert not wrong
    assert (row["norms"], row["folded"]) == (0, 0)
    for name in zoo_memory.VARIANTS:
        assert row[name]["measured"] == row[name]["planned"] > 0
    assert row["auto"]["measured"] <= row["full"]["measured"] // 2
    assert row["sparse"]["measured"] < row["full"]["measured"]
    assert row["lighter"]["measured"] <= row["full"]["measured"]
    held = sum(p.numel() * p.element_size() for p in zoo_memory.given(SMALL).own.parameters())
    assert row["pytorch"] > 2 * held  # and the gradients
    assert row["executorch"] > 2 * held
    assert [folder.name for folder in (tmp_path / "kept").iterdir()] == ["digest"]
    monkeypatch.setattr(zoo_memory, "row", None)
    assert prove_memory.rows([SMALL], "digest", tmp_path / "kept") == ([row], [])


def test_another_loss_is_a_failure() -> None:
    work = zoo_memory.given("deep_autoencoder")
    with torch.no_grad():
        loss = float(WithLoss(work.own)(work.x, work.y))
    zoo_memory.same(work, loss)
    with pytest.raises(Failed, match="wrong loss"):
        zoo_memory.same(work, 1.001 * loss)


@pytest.mark.parametrize("spec", ["har_fcn", "shufflenet_v2_x0_5?resolution=64", "mobilenet_v3_small?resolution=64"])
def test_what_the_others_get_is_folded_and_its_signal_lives(spec: str) -> None:
    plain, given = Work(spec, settled=True), zoo_memory.given(spec)
    assert not [m for m in given.own.modules() if isinstance(m, NORMS)]
    with torch.no_grad():
        expected, found = plain.own(plain.x), given.own(given.x)
    assert torch.allclose(found, expected, rtol=1e-3, atol=1e-3)
    assert float(expected.std()) > 0.01
    assert [type(m) for m in plain.own.modules() if isinstance(m, NORMS)]


def test_tokens_and_a_label_a_position() -> None:
    work = Work("char_gru?length=5", 2)
    assert work.x.shape == (2, 5)
    assert work.x.dtype == torch.int32
    assert work.y is not None
    assert work.y.shape == (2, 5)
    loss = nn.functional.cross_entropy(work.own(work.x), work.y)
    assert torch.equal(WithLoss(work.own)(work.x, work.y), loss)


def test_a_process_that_dies_or_fails_is_a_cell_of_its_own() -> None:
    with pytest.raises(Failed, match="its process ended"):
        prove_memory._apart(os._exit, 1)
    with pytest.raises(Failed, match=r"InvalidInput: model is .*resnet9"):
        prove_memory._apart(zoo_memory.theirs, "resnet9", "pytorch")

    def apart(function: Callable[..., Any], spec: str, *peer: str) -> Any:
        if peer == ("executorch",):
            raise Failed("it ended")
        return 7 if peer else {"full": FOUND}

    row = zoo_memory.row("m", apart)
    assert row == {
        "model": "m",
        "full": FOUND,
        "pytorch": 7,
        "executorch": {"failed": "it ended", "missing": False},
    }


def test_what_breaks_a_promise_is_told() -> None:
    assert zoo_memory.wrong(ROW) == []
    above = ROW | {"lighter": FOUND | {"transient": 613_000}}
    assert zoo_memory.wrong(above) == ["m, lighter: more than 2 % above the bound of its order"]
    absent = ROW | {"executorch": zoo_memory.cell(lambda: (_ for _ in ()).throw(Missing("no package executorch")))}
    assert zoo_memory.wrong(absent) == ["no package executorch"]


def test_the_table_has_a_line_a_network_and_one_for_what_failed() -> None:
    failed = ROW | {"model": "n", "norms": 0, "folded": 0, "executorch": {"failed": "why (https://", "missing": False}}
    lines = memory_page.table([ROW, failed]).splitlines()
    assert (
        lines[2]
        == "| `m` | folded | 1.00 | 1.00 / 0.900 | 1.00 | 1.00 / 0.900 | 1.00 (last:2) | 1.00 | bias | 2.00 | 30.0 |"
    )
    assert lines[3].startswith("| `n` | none |")
    assert lines[3].endswith("| failed |")
    assert lines[4:] == ["", "- `n`, ExecuTorch: why."]
    assert [memory_page.mb(size) for size in (81_200, 999_600, 41_414_472, 99_960_000)] == [
        "0.081",
        "1.00",
        "41.4",
        "100",
    ]


def test_the_readme_shows_what_is_proven() -> None:
    known = json.loads(prove.RESULTS.read_text())
    text = (prove.ROOT / "README.md").read_text()
    assert readme.between(text, memory_page.SECTION) == memory_page.section(known), "run `make prove`"
    made = {memory_page.NAME: {"figures": {"about": None, "rows": [ROW]}}}
    assert memory_page.section({}) == memory_page.UNKNOWN
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory_page, "caption", lambda about: "Where.")
        assert readme.between(memory_page.shown(text, made), "zoo") == f"{memory_page.table([ROW])}\n\nWhere."
        made[memory_page.NAME]["figures"]["missed"] = ["m, lighter: above"]
        assert "\n- **Missed**: m, lighter: above.\n\nWhere." in memory_page.section(made)
