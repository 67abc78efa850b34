"""``selvedge train`` and ``predict`` on a newcomer's data: files in, an artifact out that knows the same files."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import selvedge as sv
from selvedge.data import load
from selvedge.face import job
from selvedge.face.progress import Work
from selvedge.learn.metrics import predictions, probabilities
from tests.data import folders

from . import mine
from .command import Process, Result, run, start

ON = ("--device", "stm32f746")


@pytest.fixture
def user(tmp_path: Path) -> Path:
    """A user's folder with models and loaders."""
    for name in ("mine.py", "loaders.py"):
        shutil.copy(Path(__file__).with_name(name), tmp_path)
    return tmp_path


def trained(user: Path, model: str, data: str, *more: str) -> dict[str, Any]:
    result = run("train", model, "--data", data, *ON, "--out", "model", "--json", *more, cwd=user)
    assert (result.code, result.err) == (0, ""), result
    figures: dict[str, Any] = json.loads(result.out)
    return figures


def predicted(user: Path, *inputs: str) -> list[dict[str, Any]]:
    result = run("predict", "model", *inputs, "--top", "99", "--json", cwd=user)
    assert (result.code, result.err) == (0, ""), result
    figures: list[dict[str, Any]] = json.loads(result.out)
    return figures


def assert_predicts_as_trained(user: Path, data: str, shape: tuple[int, ...], inputs: list[str]) -> None:
    """What the command says of raw files is, bit for bit, what the session says of the training's own samples."""
    session = sv.load(user / "model")
    whole = load(data, shape)
    output = predictions(session, np.asarray(whole.x[np.arange(len(whole))]))
    shares = probabilities(session.manifest.loss, output)
    assert shares is not None
    found = predicted(user, *inputs)
    assert len(found) == len(whole)
    for one, p in zip(found, shares, strict=True):
        assert one["probabilities"] == {whole.labels[k]: p[k] for k in range(len(p))}
        assert one["label"] == whole.labels[int(p.argmax())]
        assert one["probability"] == p.max()


def test_what_a_training_chose_is_said_in_a_line_with_its_reason(user: Path) -> None:
    folders.digits(user / "digits", 6)
    what = ("mine.py:digits", "--data", "digits", *ON, "--epochs", "1")
    biases = run("train", *what, "--budget", "ram=5KiB", "--out", "one", cwd=user).out
    said = [line.strip() for line in biases.splitlines() if "chosen:" in line]
    assert len(said) == 1
    why = r"chosen: update bias: not even the last layer fits, the biases do; batch [124], with which most learns"
    assert re.match(why, said[0])
    asked = ("--update", "last:2", "--batch", "3")
    figures = json.loads(run("train", *what, *asked, "--out", "two", "--json", cwd=user).out)
    assert figures["chosen"].startswith("chosen: update last:2, as asked; batch 3, as asked")
    figures = json.loads(run("try", *what, "--accumulate", "2", "--json", cwd=user).out)
    whole = figures["chosen"]
    assert whole.startswith("chosen: update full: everything fits; batch 16, the largest with which everything learns")
    assert "--accumulate 2" in figures["next"][-3]  # the line that trains the same
    plan = sv.plan(
        mine.digits(),
        torch.zeros(1, 1, 8, 8),
        device="stm32f746",
        batch=16,
        accumulate=2,
        optimizer=sv.SGD(lr=0.01, momentum=0.9),
    )
    given = [c.what for c in plan.why if c.what.startswith(("masks", "streaming", "recompute", "paging"))]
    assert whole.partition("; for bytes of RAM: ")[2] == ", ".join(given) != ""


def test_images(user: Path) -> None:
    folders.digits(user / "digits", 25)
    figures = trained(user, "mine.py:digits", "digits", "--epochs", "12", "--plot", "page.html")
    assert figures["data"]["samples"] == 250
    assert figures["training"]["dummy"]["accuracy"] == 0.1
    assert figures["test"]["accuracy"] > 0.7
    assert any("had never seen data" in n for n in figures["notes"])
    assert json.loads((user / "model" / "training.json").read_text()) == figures
    page = (user / "page.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "Accuracy by epoch" in page
    assert not list(user.glob("*.checkpoint.npz"))
    paths = sorted(str(p.relative_to(user)) for p in (user / "digits").rglob("*.png"))
    assert_predicts_as_trained(user, str(user / "digits"), (1, 8, 8), paths)


def test_the_state_goes_back_to_pytorch(user: Path) -> None:
    folders.digits(user / "digits", 10)
    trained(user, "mine.py:digits", "digits", "--epochs", "3", "--norms", "folded")
    model = mine.digits().eval()
    with np.load(user / "model" / "state.npz") as arrays:
        model.load_state_dict({n: torch.from_numpy(a) for n, a in arrays.items()})
    session, data = sv.load(user / "model"), load(str(user / "digits"))
    x = np.asarray(data.x[np.arange(40)])
    assert data.preprocess is not None
    with torch.no_grad():
        expected = model(torch.from_numpy(data.preprocess(x))).numpy()
    np.testing.assert_allclose(predictions(session, x), expected, atol=2e-5)


def test_sounds(user: Path) -> None:
    folders.tones(user / "tones", 12)
    figures = trained(user, "mine.py:bands", "tones:pattern={label}_{group}_{}.wav", "--epochs", "6")
    assert figures["test"]["accuracy"] == 1.0
    groups = figures["data"]["groups"]
    assert sorted(g for part in groups.values() for g in part) == list("abcd")
    paths = sorted(str(p.relative_to(user)) for p in (user / "tones").rglob("*.wav"))
    data = f"{user / 'tones'}:pattern={{label}}_{{group}}_{{}}.wav"
    assert_predicts_as_trained(user, data, (1, 32, 20), paths)


def test_tables(user: Path) -> None:
    folders.flowers(user / "flowers.csv")
    figures = trained(
        user, "mine.py:table", "flowers.csv:group=subject", "--epochs", "20", "--optimizer", "adam:lr=0.02"
    )
    assert figures["test"]["accuracy"] == 1.0
    assert_predicts_as_trained(user, f"{user / 'flowers.csv'}:group=subject", (2,), ["flowers.csv"])


def test_a_loader_and_arrays(user: Path) -> None:
    figures = trained(user, "mine.py:table", "loaders.py:good", "--epochs", "20", "--optimizer", "adam:lr=0.02")
    assert figures["test"]["accuracy"] > 0.6
    np.save(user / "one.npy", np.array([0.0, 0.0], np.float32))
    np.savez(user / "many.npz", x=np.array([[0, 0], [6, 6]], np.float32))
    found = predicted(user, "one.npy", "many.npz")
    assert [(f["input"], f["sample"], f["label"]) for f in found] == [
        ("one.npy", None, "0"),
        ("many.npz", 0, "0"),
        ("many.npz", 1, "2"),
    ]


def test_the_table_for_people(user: Path) -> None:
    folders.digits(user / "digits", 10)
    result = run("train", "mine.py:digits", "--data", "digits", *ON, "--epochs", "2", cwd=user)
    assert result.code == 0, result
    assert re.search(r"2 epochs, best \d: validation [\d.]+%, test [\d.]+%; guessing reaches 10.0%", result.out)
    assert "written to digits-trained" in result.out
    assert max(map(len, result.out.splitlines())) <= 120
    result = run("predict", "digits-trained", "digits/1/1.png", "--top", "3", cwd=user)
    assert re.fullmatch(r"digits/1/1\.png(  \d [\d.]+%){3}\n", result.out)


def test_a_batch_and_an_update_are_found_that_fit(user: Path) -> None:
    """Nothing is asked for but the budget: the batch shrinks, then the update."""
    folders.digits(user / "digits", 10)
    rows = []
    for ram in (128, 24, 5):
        figures = trained(user, "mine.py:digits", "digits", "--epochs", "1", "--budget", f"ram={ram}KiB")
        assert figures["plan"]["arena_bytes"] <= ram * 1024
        rows.append((figures["batch"], len(figures["plan"]["updated"])))
    assert rows[0] == (8, 6)
    assert rows == sorted(rows, key=lambda row: row[0] * row[1], reverse=True)
    assert rows[0] > rows[1]
    assert rows[1] != rows[2]


def test_a_training_that_diverges_leaves_the_way_free(user: Path) -> None:
    """It ends in a later epoch, of which a checkpoint was written: the next rate may begin at once."""
    folders.flowers(user / "flowers.csv")
    (user / "value.py").write_text("import torch\ndef value(): return torch.nn.Linear(1, 1)\n")
    before = {p.name for p in user.iterdir()}
    line = ("train", "value.py:value", "--data", "flowers.csv:label=width,drop=label+subject", "--loss", "mse", *ON)
    more = ("--epochs", "40", "--schedule", "constant", "--out", "model")
    result = run(*line, *more, "--optimizer", "sgd:lr=2", cwd=user)
    assert result.code == 2
    found = re.fullmatch(r"selvedge: loss is \w+ in epoch (\d+): .*lower the learning rate.*\n", result.err)
    assert found is not None
    assert int(found[1]) > 1
    assert {p.name for p in user.iterdir()} - {"__pycache__"} == before
    assert run(*line, *more, "--optimizer", "sgd:lr=0.01", cwd=user).code == 0


def test_what_never_fits_is_refused_by_its_smallest_batch(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without having planned the batches between, each of which would look for a change of its own."""
    folders.digits(user / "digits", 4)
    monkeypatch.chdir(user)
    with Work() as work:
        prepared = job.prepare("mine.py:digits", "digits", None, None, 0, work)
    asked: list[int] = []
    plan = job.make_plan

    def counting(*given: Any, **options: Any) -> sv.Plan:
        asked.append(options["batch"])
        return plan(*given, **options)

    monkeypatch.setattr(job, "make_plan", counting)
    board = sv.Device(name="board", ram="1KiB", flash="1MiB")
    terms = job.Terms(board, None, sv.SGD(0.01), "constant", "auto", "frozen", None, 1)
    with Work() as work, pytest.raises(sv.DoesNotFit) as refusal:
        job.planned(prepared, terms, work)
    assert asked == [8, 1]
    assert refusal.value.have == 1024


# Interrupts

LONG = ("train", "mine.py:slow", "--data", "digits", *ON, "--epochs", "25", "--batch", "4", "--out", "model")


@pytest.fixture
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    user = tmp_path_factory.mktemp("whole")
    shutil.copy(Path(__file__).with_name("mine.py"), user)
    folders.digits(user / "digits", 12)
    assert run(*LONG, cwd=user).code == 0
    return outcome(user)


def outcome(user: Path) -> dict[str, np.ndarray]:
    """What was learnt, and the history without its times."""
    with np.load(user / "model" / "state.npz") as arrays:
        state = {n: arrays[n] for n in arrays.files}
    training = json.loads((user / "model" / "training.json").read_text())
    history = [list(e.values()) for e in training["training"]["epochs"]]
    return {
        **state,
        "history": np.array(history, float),
        "weights": np.fromfile(user / "model" / "weights.bin", np.uint8),
    }


def ended_by(user: Path, number: int, *more: str) -> Result:
    """The command, hit by signal ``number`` as soon as a new checkpoint of it is there."""
    path = user / "model.checkpoint.npz"
    before = path.stat().st_mtime_ns if path.exists() else 0
    process: Process = start(*LONG, *more, cwd=user)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.running():
        if path.exists() and path.stat().st_mtime_ns > before:
            break
        time.sleep(0.001)
    os.kill(process.pid, number)
    return process.result()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_training_ends_as_an_uninterrupted_one(
    user: Path, number: int, uninterrupted: dict[str, np.ndarray]
) -> None:
    folders.digits(user / "digits", 12)
    for more in ((), ("--resume",)):
        result = ended_by(user, number, *more)
        if number == signal.SIGINT:
            assert result.code == 130
            (line,) = result.err.splitlines()
            assert re.fullmatch(
                r"selvedge: interrupted after \d+ of 25 epochs; kept in model\.checkpoint\.npz: "
                r"the same line with --resume goes on",
                line,
            )
        else:
            assert result.code == -signal.SIGKILL
        assert result.out == ""
        assert not (user / "model").exists()
        assert (user / "model.checkpoint.npz").exists()
    again = run(*LONG, cwd=user)
    assert again.code == 2
    assert "add --resume, or remove the file" in again.err
    other = run(*LONG, "--resume", "--seed", "1", cwd=user)
    assert other.code == 2
    assert "model.checkpoint.npz" in other.err
    assert run(*LONG, "--resume", cwd=user).code == 0
    found = outcome(user)
    assert found.keys() == uninterrupted.keys()
    for name, array in uninterrupted.items():
        assert found[name].tobytes() == array.tobytes(), name
    assert not (user / "model.checkpoint.npz").exists()


# Real data


def test_spoken_digits_by_speaker(user: Path) -> None:
    folders.fsdd(user, 6)
    data = "recordings:pattern={label}_{group}_{}.wav"
    figures = trained(user, "mine.py:bands", data, "--epochs", "8", "--optimizer", "adam:lr=0.003")
    groups = figures["data"]["groups"]
    assert {p: len(g) for p, g in groups.items()} == {"train": 4, "validation": 1, "test": 1}
    assert figures["test"]["accuracy"] > figures["training"]["dummy"]["accuracy"] + 0.1
    paths = sorted(str(p.relative_to(user)) for p in (user / "recordings").glob("*.wav"))
    assert_predicts_as_trained(user, str(user / data), (1, 32, 20), paths)


def test_activities_by_subject(user: Path) -> None:
    folders.har(user, ("s01", "s02", "s03", "s04"))
    figures = trained(
        user, "mine.py:lines", "DATA:pattern={group}_{}.csv,window=64,hop=32", "--epochs", "15", "--batch", "4",
        "--optimizer", "adam:lr=0.005",
    )  # fmt: skip
    assert figures["data"]["kind"] == "windows"
    assert sorted(g for part in figures["data"]["groups"].values() for g in part) == ["s01", "s02", "s03", "s04"]
    assert figures["test"]["accuracy"] > figures["training"]["dummy"]["accuracy"] + 0.1


def test_clothes_and_characters(user: Path) -> None:
    folders.fashion(user / "clothes", 30)
    clothes = trained(user, "zoo:resnet8", "clothes", "--epochs", "3", "--device", "raspberry-pi-zero-2w")
    assert clothes["data"]["shape"] == [3, 32, 32]
    assert clothes["test"]["accuracy"] > 0.3
    folders.omniglot(user, "Early_Aramaic")
    data = "images_background_small1/Early_Aramaic:pattern={label}/{}_{group}.png"
    figures = trained(user, "zoo:resnet8", data, "--epochs", "1", "--update", "last:1")
    assert (figures["data"]["samples"], len(figures["data"]["labels"])) == (440, 22)
    assert sum(map(len, figures["data"]["groups"].values())) == 20
