"""``selvedge targets``, ``emit``, ``verify`` and ``cut``, and files of ONNX that learn, as a user runs them."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import selvedge as sv
from selvedge.artifact.targets import TARGETS
from tests.formats.tflite.test_write import quantised
from tests.make.test_learnable_onnx import exported

from .command import fresh, run
from .test_bad_input import NET, assert_one_line, files

NET_ON = ("net.py:net", "--input", "2x4")
TAIL = """import torch
from net import Net

class Tail(Net):
    def forward(self, x):
        return torch.special.erfc(self.head(x))

def tail():
    return Tail()
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files and artifacts that the tests share, and do not change."""
    folder = tmp_path_factory.mktemp("runtimes")
    shutil.copy(NET, folder)
    (folder / "tail.py").write_text(TAIL)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)).eval()
    exported(model, torch.zeros(1, 4), folder / "net.onnx")
    (folder / "bad.onnx").write_bytes((folder / "net.onnx").read_bytes()[:-40])
    (folder / "none.onnx").write_text("not one")
    sv.save_tflite(quantised("ds_cnn"), folder / "kws8.tflite")
    sv.save_onnx(quantised("ds_cnn"), folder / "kws8.onnx")
    for target in ("c", "onnx", "pt2"):
        sv.emit(sv.plan(model, torch.zeros(2, 4), name="net"), target, folder / target)
    sv.emit(sv.plan(model, torch.zeros(2, 4), name="net", optimizer=sv.SGD(lr=0.01, momentum=0.9)), "c", folder / "sgd")
    nn.init.ones_(model[0].weight)
    sv.emit(sv.plan(model, torch.zeros(2, 4), name="net"), "onnx", folder / "other")
    wide = nn.Sequential(nn.Linear(4, 7), nn.ReLU(), nn.Linear(7, 3))
    sv.emit(sv.plan(wide, torch.zeros(2, 4), name="net"), "c", folder / "wide")
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    """A user's directory with all of it."""
    shutil.copytree(made, tmp_path / "here")
    return tmp_path / "here"


def test_every_target_has_a_line_that_says_what_is_installed(tmp_path: Path) -> None:
    found = run("targets", cwd=tmp_path)
    assert (found.code, found.err) == (0, "")
    rows = {line.split()[0]: line.split()[1:] for line in found.out.splitlines() if line and line[0].isalpha()}
    for name, target in TARGETS.items():
        yes = ["yes" if able in target.able else "-" for able in ("float", "int8", "train")]
        assert rows[name][:3] == yes
        for package in target.packages:
            assert (package.lack is None) == (f"{package.name} {package.installed}" in found.out)
    told = json.loads(run("targets", "--json", cwd=tmp_path).out)
    assert [row["name"] for row in told] == list(TARGETS)
    assert [row["ready"] for row in told] == [t.ready for t in TARGETS.values()]


def test_a_package_that_is_missing_or_too_new_is_named_with_the_line_that_installs_it(place: Path) -> None:
    """As ``pip`` leaves it: what is installed is read of the packages' metadata."""
    for version, told in (("9.0", "is too new here (9.0)"), ("1.2", "is too old here (1.2)")):
        lies = place / f"lies{version}" / f"onnx-{version}.dist-info"
        lies.mkdir(parents=True)
        (lies / "METADATA").write_text(f"Metadata-Version: 2.1\nName: onnx\nVersion: {version}\n")
        path = os.pathsep.join([str(lies.parent), os.environ.get("PYTHONPATH", "")])
        before = files(place)
        found = fresh("emit", *NET_ON, "--target", "onnx", "--out", "there", cwd=place, env={"PYTHONPATH": path})
        assert_one_line(found, f"it needs onnx, which {told}: pip install 'onnx>=1.23,<1.24'")
        assert files(place) == before


def test_a_file_whose_reader_is_missing_names_the_line_that_installs_it(place: Path) -> None:
    """onnx reads it, whatever is made of it."""
    (place / "blocked").mkdir()
    (place / "blocked" / "onnx.py").write_text("raise ModuleNotFoundError('No module named onnx', name='onnx')\n")
    path = os.pathsep.join([str(place / "blocked"), os.environ.get("PYTHONPATH", "")])
    for line in (
        ("inspect", "net.onnx"),
        ("emit", "net.onnx", "--target", "litert", "--out", "new"),
        ("cut", "net.onnx"),
    ):
        found = fresh(*line, cwd=place, env={"PYTHONPATH": path})
        assert_one_line(found, "onnx is not installed: pip install 'onnx>=1.23,<1.24'")
    assert not (place / "new").exists()


REFUSED: list[tuple[tuple[str, ...], tuple[str, ...]]] = [
    (("emit", *NET_ON, "--target", "nothing", "--out", "new"), ("target is nothing", "choose one of c, onnx, litert")),
    (("emit", *NET_ON, "--target", "litert-micro", "--out", "new"), ("target is litert-micro", "it cannot train")),
    (("emit", *NET_ON, "--target", "onnx", "--out", "net.py"), ("--out is net.py", "name a directory")),
    (("emit", *NET_ON, "--target", "onnx", "--out", "."), ("--out is .", "it holds other files")),
    (("emit", *NET_ON, "--target", "onnx", "--out", "new", "--loss", "none"), ("--loss is none", "cross_entropy")),
    (("emit", "no.py:net", "--target", "onnx", "--out", "new"), ("no.py", "there is no such file")),
    (("emit", "no.onnx", "--target", "onnx", "--out", "new"), ("no.onnx", "there is no such file")),
    (("emit", "bad.onnx", "--target", "c", "--out", "new"), ("onnx",)),
    (("emit", "none.onnx", "--update", "full", "--target", "c", "--out", "new"), ("onnx file", "no ONNX model")),
    (("emit", "net.onnx", "--update", "last:9", "--target", "c", "--out", "new"), ("update is", "last:9")),
    (("emit", "net.onnx", "--loss", "mse", "--target", "c", "--out", "new"), ("--loss is mse", "given --update")),
    (("emit", "net.onnx", "--batch", "4", "--target", "c", "--out", "new"), ("--batch is 4", "given --update")),
    (("emit", "net.onnx", "--input", "4x4", "--target", "c", "--out", "new"), ("--input is 4x4", "given --update")),
    (("emit", "net.onnx", "--optimizer", "adam", "--target", "c", "--out", "new"), ("--optimizer is adam",)),
    (("emit", "net.onnx", "--seed", "3", "--target", "c", "--out", "new"), ("--seed is 3",)),
    (
        ("emit", "net.onnx", "--predicts", "--update", "last:1", "--target", "c", "--out", "new"),
        ("--update is last:1", "with --predicts nothing learns"),
    ),
    (
        ("emit", *NET_ON, "--predicts", "--loss", "mse", "--target", "c", "--out", "new"),
        ("--loss is mse", "with --predicts nothing learns"),
    ),
    (("emit", *NET_ON, "--predicts", "--norms", "live", "--target", "c", "--out", "new"), ("--norms is live",)),
    (
        ("emit", "kws8.tflite", "--update", "last:1", "--batch", "4", "--target", "c", "--out", "new"),
        ("example is of (4, 49, 10, 1)", "the file is for (1, 49, 10, 1)"),
    ),
    (("train", "kws8.tflite", "--data", "x.npz"), ("model is kws8.tflite", "plan, emit, cut and inspect read it")),
    (("verify", "onnx", "--seed", "-1"), ("seed is -1", "whole number")),
    (("plan", "net.onnx", "--batch", "4"), ("--batch is 4", "learns where plan or emit is given --update")),
    (("plan", "net.onnx", "--update", "full", "--input", "1x4"), ("--input is 1x4", "the file says it")),
    (("plan", "net.onnx", "--update", "full", "--sweep"), ("--sweep is on", "one number of samples")),
    (
        ("emit", "tail.py:tail", "--input", "1x4", "--target", "onnx", "--out", "new"),
        ("erfc in ONNX is not supported at tail.py:6: return torch.special.erfc(self.head(x))", "write 1 - erf(x)"),
    ),
    (("verify", "nowhere"), ("artifact is nowhere", "manifest.json cannot be read")),
    (("verify", "net.py"), ("artifact is net.py", "manifest.json cannot be read")),
    (("verify", "pt2"), ("verifying target pt2 alone", "give --beside FOLDER")),
    (("verify", "onnx", "--beside", "wide"), ("--beside is wide", "its shapes differ", "the same plan")),
    (("verify", "onnx", "--beside", "c", "--within", "0"), ("within is 0", "as 1e-4")),
    (("cut", *NET_ON), ("update is", "its first layer learns")),
    (("cut", "net.onnx", "--out", "net.py"), ("--out is net.py", "name a directory")),
    (("cut", "net.onnx", "--out", "onnx"), ("--out is onnx", "it holds other files")),
    (("cut", "net.onnx", "--target", "nothing", "--out", "new"), ("target is nothing", "choose one of")),
    (("cut", "net.onnx", "--loss", "reconstruction", "--out", "new"), ("is",)),
]


@pytest.mark.parametrize(("line", "told"), REFUSED, ids=lambda part: " ".join(part)[:60])
def test_what_is_wrong_is_one_line_and_nothing_is_written(
    line: tuple[str, ...], told: tuple[str, ...], place: Path
) -> None:
    before = files(place)
    assert_one_line(run(*line, cwd=place), *told)
    assert files(place) == before


def test_an_artifact_that_is_damaged_is_not_verified(place: Path) -> None:
    file = place / "onnx" / "net_predict.onnx"
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    assert_one_line(run("verify", "onnx", cwd=place), "net_predict.onnx", "does not match its hash")


def test_a_disk_that_is_full_leaves_nothing_behind(place: Path) -> None:
    before = files(place)
    found = run("emit", *NET_ON, "--target", "onnx", "--out", "new", cwd=place, largest_file=1000)
    assert_one_line(found, "new", "cannot write there")
    assert files(place) == before


def test_emitted_is_verified_and_predicts(place: Path) -> None:
    found = run("emit", *NET_ON, "--target", "onnx", "--out", "new", "--json", cwd=place)
    assert (found.code, found.err) == (0, "")
    assert (json.loads(found.out)["target"], json.loads(found.out)["out"]) == ("onnx", "new")
    assert run("verify", "new", cwd=place).code == 0
    np.save(place / "x.npy", np.ones(4, np.float32))
    told = run("predict", "new", "x.npy", cwd=place)
    assert told.code == 0, told.err
    assert told.out.startswith("x.npy  ")


def test_verify_exits_with_2_where_something_differs(place: Path) -> None:
    same = run("verify", "onnx", "--beside", "c", cwd=place)
    assert (same.code, same.err) == (0, "")
    assert [line.partition(":")[0] for line in same.out.splitlines()] == ["state", "predict", "evaluate", "3 steps"]
    assert run("verify", "pt2", "--beside", "c", cwd=place).code == 0
    weights = run("verify", "other", "--beside", "c", cwd=place)
    assert (weights.code, weights.err) == (2, "")
    assert weights.out.splitlines()[0].startswith("state: differs first at result 0 0.weight: ")
    told = json.loads(run("verify", "other", "--beside", "c", "--json", cwd=place).out)
    assert told[0]["first"]["op"] == "0.weight"
    assert told[0]["note"] == "end to end, onnx beside c"


def test_another_optimiser_is_another_plan(place: Path) -> None:
    assert_one_line(run("verify", "onnx", "--beside", "sgd", cwd=place), "--beside is sgd", "its shapes differ")


def test_an_onnx_file_is_planned_emitted_and_trained(place: Path) -> None:
    predicts = run("plan", "net.onnx", "--device", "stm32f746", cwd=place)
    assert "net on stm32f746: predicts, does not learn" in predicts.out
    plan = run("plan", "net.onnx", "--update", "last:1", "--device", "stm32f746", cwd=place)
    assert plan.code == 0, plan.err
    assert "net on stm32f746: SGD, update last:1" in plan.out
    emitted = run("emit", "net.onnx", "--update", "last:1", "--target", "onnx", "--out", "new", cwd=place)
    assert emitted.code == 0, emitted.err
    assert sv.load(place / "new").step(np.ones((1, 4), np.float32), [1]) > 0
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 90)
    x = (rng.standard_normal((90, 4)) + 6 * np.eye(4)[y]).astype(np.float32)
    np.savez(place / "data.npz", x=x, y=y)
    line = ("--epochs", "10", "--device", "stm32f746", "--out", "learnt", "--json")
    trained = run("train", "net.onnx", "--data", "data.npz", *line, cwd=place)
    assert trained.code == 0, trained.err
    assert json.loads(trained.out)["test"]["accuracy"] > 0.8
    assert set(sv.load(place / "learnt").state_dict()) == {"0.weight", "0.bias", "2.weight", "2.bias"}


def test_the_last_layers_of_an_int8_file_learn_from_the_command_line(place: Path) -> None:
    found = run("emit", "kws8.tflite", "--update", "last:1", "--target", "c", "--out", "new", cwd=place)
    assert found.code == 0, found.err
    assert sorted(sv.load(place / "new").state_dict()) == ["9.bias", "9.weight"]


@pytest.mark.parametrize(
    "line",
    [
        ("emit", "kws8.tflite", "--target", "pt2"),
        ("emit", "kws8.onnx", "--target", "executorch-portable"),
        ("emit", "kws8.onnx", "--update", "last:1", "--target", "c"),
        ("cut", "kws8.onnx", "--target", "pt2"),
    ],
    ids=" ".join,
)
def test_int8_is_written_by_a_process_that_has_not_quantised(line: tuple[str, ...], place: Path) -> None:
    """torch has the operators of int8 only where somebody has registered them."""
    if "executorch-portable" in line:
        pytest.importorskip("executorch")
    found = fresh(*line, "--out", "new", cwd=place)
    assert (found.code, found.err) == (0, "")
    if line[0] == "cut":
        assert sv.load_cut(place / "new").step(np.zeros((1, 1, 49, 10), np.float32), [3]) > 0
    else:
        session = sv.load(place / "new")
        x = np.zeros((1, *session.manifest.sample_shape), session.manifest.programs["predict"].inputs["x"].dtype)
        assert np.asarray(session.predict(x)).shape == (1, 12)


def test_a_plan_is_cut_and_its_parts_are_one_session(place: Path) -> None:
    """The int8 part by LiteRT, what learns in our own code; and another cut takes the place of the first."""
    pytest.importorskip("ai_edge_litert")
    line = ("cut", "kws8.tflite", "--device", "stm32f746", "--target", "litert", "--out", "parts")
    found = run(*line, cwd=place)
    assert (found.code, found.err) == (0, "")
    assert found.out.startswith("kws8 on stm32f746, cut before 9\nfrozen  ")
    told = json.loads(run(*line, "--json", cwd=place).out)
    assert told["frozen"]["macs"] + told["tail"]["macs"] == told["whole"]["macs"]
    assert_one_line(run("verify", "parts", cwd=place), "it is a plan that was cut", "parts/frozen and parts/tail")
    assert_one_line(run("predict", "parts", "x.npy", cwd=place), "it is a plan that was cut: sv.load_cut runs it")
    full = run(*line[:-1], "full", cwd=place, largest_file=30_000)
    assert_one_line(full, "cannot write there")
    assert "output is " + str(place / "full") in full.err or "output is full" in full.err
    both = sv.load_cut(place / "parts")
    x = np.random.default_rng(0).standard_normal((1, 49, 10, 1)).astype(np.float32)
    losses = [both.step(x, [3], lr=0.1) for _ in range(10)]
    assert losses[-1] < losses[0] / 2
    file = sv.learnable_tflite(place / "kws8.tflite")
    whole = sv.compile(sv.plan(file, file.example, update="last:1", device="stm32f746"))
    again = sv.load_cut(place / "parts")
    np.testing.assert_allclose(again.predict(x), whole.predict(x), rtol=1e-4, atol=1e-5)


def test_the_batch_that_is_asked_for_is_that_of_an_onnx_file(place: Path) -> None:
    """Which leaves it open: emitted, trained, cut, and in micro-batches."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 60)
    x = (rng.standard_normal((60, 4)) + 6 * np.eye(4)[y]).astype(np.float32)
    np.savez(place / "data.npz", x=x, y=y)
    asked = ("net.onnx", "--batch", "6", "--update", "last:1", "--device", "stm32f746")
    assert run("emit", *asked, "--target", "onnx", "--out", "new", cwd=place).code == 0
    assert sv.load(place / "new").step(x[:6], y[:6]) > 0
    assert run("emit", *asked, "--accumulate", "2", "--target", "onnx", "--out", "two", cwd=place).code == 0
    assert sv.load(place / "two").manifest.batch == 3
    told = json.loads(run("cut", *asked, "--json", cwd=place).out)
    assert told["latent_bytes"] == 6 * 6 * 4
    for line in (("train", "--out", "learnt"), ("try",)):
        found = run(line[0], *asked, "--data", "data.npz", "--epochs", "1", *line[1:], "--json", cwd=place)
        assert found.code == 0, found.err
    assert sv.load(place / "learnt").manifest.batch == 6


def test_what_only_predicts_is_for_the_batch_that_is_asked_for(place: Path) -> None:
    found = run("emit", *NET_ON, "--predicts", "--batch", "5", "--target", "onnx", "--out", "it has blanks", cwd=place)
    assert found.code == 0, found.err
    assert "next: selvedge predict 'it has blanks' INPUT..." in found.out
    assert sv.load(place / "it has blanks").predict(np.ones((5, 4), np.float32)).shape == (5, 3)
