"""The README's tables are the committed figures; a peer that is missing or wrong fails by name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch import nn

from benchmarks import cells, readme, steps
from benchmarks.peers import Contestant, Failed, Missing, agree, executorch, inductor, native, pytorch, resident
from benchmarks.timing import FEWEST, Timing, interleaved, ratios
from benchmarks.work import WithLoss, Work

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", readme.TABLES)
def test_the_readme_shows_the_committed_figures(name: str) -> None:
    result = json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text())
    assert readme.between((ROOT / "README.md").read_text(), name) == readme.rendered(name, result), "run `make bench`"
    assert result["rows"]
    assert {"date", "cpu", "cores", "compiler", "cxx", "packages", "seconds"} <= set(result["about"])


@pytest.mark.parametrize("name", readme.TABLES)
def test_only_what_lies_between_the_markers_is_replaced(name: str) -> None:
    text = (ROOT / "README.md").read_text()
    assert readme.between(readme.replaced(text, name, "new"), name) == "new"
    assert readme.replaced(readme.replaced(text, name, "new"), name, readme.between(text, name)) == text


def test_selvedge_and_pytorch_agree_and_another_gradient_does_not() -> None:
    work = Work("ds_cnn?norm=none")
    reference = pytorch.prepare(work)
    one = native.prepare(work)
    agree(one, reference)
    wrong = {**one.gradients, "fc.weight": one.gradients["fc.weight"] * 1.1}
    with pytest.raises(Failed, match=r"wrong gradient of fc\.weight: 10\.0% off"):
        agree(Contestant(one.step, one.loss, wrong), reference)
    with pytest.raises(Failed, match="wrong loss"):
        agree(Contestant(one.step, one.loss + 1, one.gradients), reference)
    with pytest.raises(Failed, match=r"other parameters: fc\.weight"):
        agree(Contestant(one.step, one.loss, {n: g for n, g in one.gradients.items() if n != "fc.weight"}), reference)
    assert one.step() == pytest.approx(reference.loss, rel=1e-4)  # the probe left the weights as they were


def test_folding_changes_no_output() -> None:
    for spec in ("resnet8", "deep_autoencoder", "mobilenet_v2?width=0.35&resolution=96"):
        plain, folded = Work(spec, 2), Work(spec, 2, folded=True)
        left = [m for m in folded.own.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
        assert not left
        with torch.no_grad():
            assert torch.allclose(plain.own(plain.x), folded.own(folded.x), rtol=1e-3, atol=1e-4)


def test_a_missing_package_is_named_in_its_cell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [n for n in sys.modules if n.split(".")[0] == "executorch"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "executorch", None)
    monkeypatch.setenv("SELVEDGE_BENCHMARKS_SCRATCH", str(tmp_path))
    with pytest.raises(Missing, match=r"no package executorch.*: pip install 'executorch==1.5.1'"):
        executorch.export(Work("deep_autoencoder"))


def test_a_missing_compiler_is_named_in_its_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CXX", "none")
    monkeypatch.setattr("torch._inductor.config.cpp.cxx", ("none",))
    from torch._inductor import cpp_builder

    cpp_builder.get_cpp_compiler.cache_clear() if hasattr(cpp_builder.get_cpp_compiler, "cache_clear") else None
    with pytest.raises(Missing, match="no C\\+\\+ compiler: install g\\+\\+"):
        inductor.cxx()


def test_a_failed_cell_says_why_and_what_is_missing_is_told_once() -> None:
    fine = {"median": 1e-3, "low": 9e-4, "high": 2e-3}
    failed = {"failed": "no package executorch", "missing": True}
    row = {
        "model": "m",
        "batch": 1,
        "selvedge": fine,
        "pytorch": {**fine, "times": {"median": 0.5, "low": 0.4, "high": 0.6}},
        "compile": {"failed": "wrong loss: 1, PyTorch's is 2", "missing": False},
        "executorch": failed,
    }
    text = steps.table([row, row])
    assert "| FAILED: wrong loss: 1, PyTorch's is 2 | FAILED: no package executorch |" in text
    assert cells.missing([row, row]) == ["no package executorch"]
    assert steps.slower([row]) == ["m at batch 1: slower than PyTorch"]


def test_executorchs_wrong_max_pool_gradient_is_caught(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if find_spec("executorch") is None and not os.environ.get("SELVEDGE_REQUIRE_ALL"):
        pytest.skip("executorch is in the extra `bench` only")
    torch.manual_seed(0)
    work = Work("ds_cnn?norm=none")
    pooled = nn.Sequential(nn.Conv2d(1, 4, 3), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4 * 23 * 4, 12))
    object.__setattr__(work, "_made", (pooled, *work._made[1:]))
    monkeypatch.setenv("SELVEDGE_BENCHMARKS_SCRATCH", str(tmp_path))
    with pytest.raises(Failed):
        agree(executorch.prepare(work), pytorch.prepare(work))
    monkeypatch.setattr(executorch, "_exported", None)
    with pytest.raises(Failed):  # what was exported once is what another process of the run finds
        agree(executorch.prepare(Work("ds_cnn?norm=none")), pytorch.prepare(work))


def test_a_slow_contestant_plays_fewer_rounds_evenly() -> None:
    import time

    played: list[str] = []

    def contestant(name: str, seconds: float) -> object:
        return lambda: (played.append(name), time.sleep(seconds))

    found = interleaved({"a": contestant("a", 0.001), "b": contestant("b", 0.02)}, 20, seconds=0.002, most=0.1)
    assert len(found["a"]) > len(found["b"]) >= FEWEST
    assert set(found["b"]) <= set(found["a"])
    assert len(ratios(found["a"], found["b"])) == len(found["b"])
    assert Timing.of([1.0, 2.0, 3.0]) == Timing(2.0, 1.5, 2.5, 3)


def test_the_process_grows_by_no_less_than_the_parameters() -> None:
    spec = "mobilenet_v2?width=0.35&resolution=96"
    found = resident.grown(spec, 1, False)
    size = sum(p.numel() * p.element_size() for p in WithLoss(Work(spec).own).parameters())
    assert found["growth"] > 2 * size  # parameters and gradients
    assert found["before"] > 50e6
    assert pytorch.allocated(Work(spec)) > 2 * size


def test_wrong_options_are_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--models", "resnet9"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "resnet9" in done.stderr
