"""``selvedge live``: a model on a stream, cut off and gone on; its log, its weights, its page; what it refuses."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import selvedge as sv
from selvedge.errors import InvalidInput
from selvedge.face.live_settings import Settings
from selvedge.face.living import opened
from selvedge.learn.metrics import predictions
from selvedge.run.artifact import load
from tests.face.command import Result, fresh, run, start

CLASSES, SIZE = 3, 6


def rows(count: int, seed: int = 0, turned: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, CLASSES, count)
    return (np.sin(np.arange(SIZE) * (y[:, None] + 1) + turned) + rng.normal(0, 0.3, (count, SIZE))).astype("f4"), y


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An artifact that has learnt three classes, an anchor, and a stream of 400 rows on which the world has turned."""
    import torch

    folder = tmp_path_factory.mktemp("place")
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(SIZE, 16), torch.nn.ReLU(), torch.nn.Linear(16, CLASSES))
    x, y = rows(300)
    optimizer = torch.optim.Adam(net.parameters(), 0.02)
    for _ in range(100):
        loss = torch.nn.functional.cross_entropy(net(torch.tensor(x)), torch.tensor(y))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    sv.emit(sv.plan(net, torch.zeros(4, SIZE), optimizer=sv.SGD(lr=0.05)), "c", folder / "net")
    np.savez(folder / "anchor.npz", x=x, y=y)
    np.savez(folder / "bare.npz", x=x)
    np.savez(folder / "nan.npz", x=np.where(x > 1, np.nan, x), y=y)
    x, y = rows(400, seed=1, turned=0.6)
    lines = ["time," + ",".join(f"f{i}" for i in range(SIZE)) + ",label"]
    lines += [
        f"{i}," + ",".join(f"{v:.5f}" for v in row) + f",{label}"
        for i, (row, label) in enumerate(zip(x, y, strict=True))
    ]
    lines[50] = lines[50].replace(lines[50].split(",")[2], "broken", 1)
    (folder / "s.csv").write_text("\n".join(lines) + "\n")
    (folder / "s.jsonl").write_text(
        "".join(json.dumps({"x": row.tolist(), "y": int(label)}) + "\n" for row, label in zip(x, y, strict=True))
    )
    return folder


def lines_of(found: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in found.out.splitlines()]


def test_it_lives_to_the_end_of_a_stream_and_says_how_it_did(place: Path, tmp_path: Path) -> None:
    memory = ["--budget", "64KiB", "--memory", "4KiB", "--codec", "int4"]
    guards = ["--anchor", f"{place}/anchor.npz", "--margin", "0.2", "--detector", "error=adwin"]
    stream = ["--stream", f"{place}/s.csv", "--page", "life.html"]
    found = run("live", str(place / "net"), *stream, *memory, *guards, cwd=tmp_path)
    assert found.code == 0, found.err
    assert found.out.startswith("399 samples learnt from, ")
    assert "s.csv row 51 column f1 is broken: a finite number is needed" in found.out
    assert " of 64 KiB: " in found.out
    page = (tmp_path / "life.html").read_text()
    assert page.count("<svg") == 2
    assert "Diary" in page
    assert not found.err


def test_json_is_a_line_a_round_and_one_at_the_end(place: Path, tmp_path: Path) -> None:
    found = run("live", str(place / "net"), "--stream", f"{place}/s.jsonl", "--json", "--page", "a.svg", cwd=tmp_path)
    assert (found.code, found.err) == (0, "")
    *rounds, last = lines_of(found)
    assert len(rounds) == 50
    assert [r["samples"] for r in rounds] == list(range(8, 401, 8))
    assert last["ended"] == "stream"
    assert last["seen"] == 400
    assert last["accuracy"] == pytest.approx(rounds[-1]["accuracy"])
    assert last["ram_total"] == sum(last["ram"].values())
    assert (tmp_path / "a.svg").read_text().startswith("<svg")


def test_killed_and_gone_on_it_ends_with_the_same_weights(place: Path, tmp_path: Path) -> None:
    line = ["live", str(place / "net"), "--memory", "4KiB"]
    assert run(*line, "--stream", f"{place}/s.csv", "--work", "whole", cwd=tmp_path).code == 0
    for _ in range(3):
        process = start(*line, "--stream", f"{place}/s.csv", "--work", "cut", cwd=tmp_path)
        log = tmp_path / "cut" / "journal" / "log-00000000"
        before, end = log.stat().st_size if log.exists() else 0, time.monotonic() + 60
        while process.running() and (not log.exists() or log.stat().st_size < before + 3000):
            assert time.monotonic() < end
            time.sleep(0.002)
        if process.running():
            os.kill(process.pid, signal.SIGKILL)
        process.result()
    last = run(*line, "--stream", f"{place}/s.csv", "--work", "cut", "--json", cwd=tmp_path)
    assert last.code == 0
    for name in ("whole", "cut"):
        assert run("live", "export", name, "--out", f"{name}.npz", cwd=tmp_path).code == 0
    a, b = (np.load(tmp_path / f"{name}.npz") for name in ("whole", "cut"))
    assert a.files == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert all(a[n].tobytes() == b[n].tobytes() for n in a.files)
    log_a, log_b = (run("live", "log", name, cwd=tmp_path).out for name in ("whole", "cut"))
    assert log_a == log_b
    assert json.loads(run("live", "log", "cut", "--json", cwd=tmp_path).out)


def test_ctrl_c_ends_it_with_130_and_the_same_line_goes_on(place: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    text = (place / "s.jsonl").read_text().splitlines(keepends=True)
    arguments = ("live", str(place / "net"), "--stream", "pipe", "--work", "life", "--json")
    process = start(*arguments, cwd=tmp_path)
    with (tmp_path / "pipe").open("w") as pipe:
        pipe.writelines(text[:80])
        pipe.flush()
        end = time.monotonic() + 60
        diary = tmp_path / "life" / "journal"
        while not diary.exists() or sum(f.stat().st_size for f in diary.iterdir()) < 80 * 100:
            assert time.monotonic() < end
            time.sleep(0.01)
        time.sleep(0.3)
        os.kill(process.pid, signal.SIGINT)
        found = process.result()
    assert found.code == 130
    assert found.err == "selvedge: interrupted: what was learnt is in life; the same line goes on from there\n"
    seen = int(str(lines_of(found)[-1]["seen"]))
    process = start(*arguments, cwd=tmp_path)
    with (tmp_path / "pipe").open("w") as pipe:
        pipe.writelines(text[80:])
    again = process.result()
    assert again.code == 0
    assert lines_of(again)[-1]["seen"] == 400
    assert seen <= 80


def test_a_model_is_planned_here_and_kept(place: Path, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(
        "import torch\n\n\ndef make():\n    torch.manual_seed(1)\n"
        f"    return torch.nn.Linear({SIZE}, {CLASSES}), torch.zeros(4, {SIZE})\n"
    )
    arguments = ("live", "net.py:make", "--stream", f"{place}/s.jsonl", "--work", "life", "--joules-a-day", "0.5",
                 "--device", "nrf52832", "--json")  # fmt: skip
    found = run(*arguments, cwd=tmp_path)
    assert found.code == 0, found.err
    last = lines_of(found)[-1]
    assert 0 < float(str(last["joules"])) <= 0.5
    assert (tmp_path / "life" / "model" / "manifest.json").is_file()
    again = lines_of(run(*arguments, cwd=tmp_path))
    assert [line.get("ended") for line in again] == ["stream"]
    assert (again[0]["seen"], again[0]["joules"]) == (400, last["joules"])


def test_on_a_device_it_needs_no_torch(place: Path, tmp_path: Path) -> None:
    """An artifact's folder, numpy, and nothing that can be imported as torch."""
    (tmp_path / "torch.py").write_text("raise ImportError('there is no torch here')\n")
    env = {"PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"}
    found = fresh("live", str(place / "net"), "--stream", f"{place}/s.csv", "--work", "life", cwd=tmp_path, env=env)
    assert found.code == 0, found.err
    assert fresh("live", "export", "life", "--out", "w.npz", cwd=tmp_path, env=env).code == 0
    assert fresh("live", "log", "life", cwd=tmp_path, env=env).code == 0


def test_json_lines_come_by_stdin(place: Path, tmp_path: Path) -> None:
    with (place / "s.jsonl").open() as given:
        done = subprocess.run(
            [sys.executable, "-m", "selvedge", "live", str(place / "net"), "--stream", "-", "--json"],
            stdin=given, capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["seen"] == 400


def test_it_says_why_there_was_nothing_to_learn_from(place: Path, tmp_path: Path) -> None:
    line = ["live", str(place / "net"), "--work", "life", "--stream"]
    (tmp_path / "s.csv").write_text((place / "s.csv").read_text().replace("label", "state"))
    columns = "columns=" + "+".join(f"f{i}" for i in range(SIZE))
    found = run(*line, f"s.csv:{columns}", cwd=tmp_path)
    assert "399 of 399 samples had no class, and were only predicted; label= names the column of it" in found.out
    found = run(*line, f"s.csv:{columns},label=state", cwd=tmp_path)
    assert "no sample came behind sample 399, the last there was" in found.out
    np.savez(tmp_path / "none.npz", x=np.zeros((0, SIZE), "f4"))
    found = run("live", str(place / "net"), "--stream", "none.npz", cwd=tmp_path)
    assert (found.code, found.out.splitlines()[-1]) == (0, "no sample came")


def test_a_table_is_an_anchor_and_is_scaled_as_the_stream_is(place: Path, tmp_path: Path) -> None:
    """A model that ``train`` has made of a table in other units: its own rows, as they stand there, hold it."""
    x, y = rows(600, seed=3)
    lines = [",".join(f"c{i}" for i in range(SIZE)) + ",kind"]
    lines += [
        ",".join(f"{1000 + 50 * v:.4f}" for v in row) + f",{'abc'[k]}"
        for row, k in zip(x[y.argsort()], sorted(y), strict=True)
    ]
    (tmp_path / "train.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "net.py").write_text(
        "import torch\n\n\ndef make():\n    torch.manual_seed(1)\n"
        f"    first, last = torch.nn.Linear({SIZE}, 16), torch.nn.Linear(16, {CLASSES})\n"
        "    return torch.nn.Sequential(first, torch.nn.ReLU(), last)\n"
    )
    made = run("train", "net.py:make", "--data", "train.csv:label=kind", "--out", "net", "--epochs", "8", cwd=tmp_path)
    assert made.code == 0, made.err
    session = load(tmp_path / "net")
    life = opened(Settings("net", anchor=f"{tmp_path}/train.csv:label=kind"), session, None, 0.0)
    anchor = life.learner.anchor
    assert anchor is not None
    assert anchor.y is not None
    assert np.abs(np.asarray(anchor.x).mean(0)).max() < 0.2
    assert np.bincount(anchor.judges[1], minlength=CLASSES).min() > 80  # the table is in order of its classes
    assert np.mean(predictions(session, anchor.x).argmax(1) == anchor.y) > 0.9
    with pytest.raises(InvalidInput, match=r"--stream labels is c\+b\+a: the model has its own: a, b, c"):
        opened(Settings("net", labels=("c", "b", "a")), session, None, 0.0)


def test_a_terminal_shows_it_while_it_lives(place: Path, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "selvedge", "live", str(place / "net"), "--stream", f"{place}/s.csv",
         "--detector", "error=adwin"],
        stdout=subprocess.DEVNULL, stderr=theirs, cwd=tmp_path, env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        shown += part
    os.close(ours)
    assert process.wait(60) == 0
    text = shown.decode(errors="replace")
    for word in ("stream", "right", "loss", "drift", "learning", "RAM", "of the last 200"):
        assert word in text, word


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--stream", "none.csv"], "--stream is none.csv: there is no such file"),
        (["--budget", "8KiB"], "RAM of the learner does not fit"),
        (["--memory", "10"], "capacity_bytes is 10"),
        (["--memory", "much"], "--memory is much"),
        (["--detector", "adwin"], "--detector is adwin: give one as error=adwin"),
        (["--detector", "error=magic"], "detector is magic"),
        (["--codec", "3bit"], "codec is 3bit"),
        (["--policy", "oldest"], "policy is oldest"),
        (["--drift", "panic"], "drift is panic"),
        (["--anchor", "none.npz"], "--anchor is none.npz"),
        (["--margin", "2"], "--margin is 2"),
        (["--every", "0"], "every is 0"),
        (["--full", "wait"], "--full is wait: give one of block, drop"),
        (["--queue", "0"], "--queue is 0"),
        (["--stalled", "0"], "--stalled is 0"),
        (["--anchor", "-"], "--anchor is -: give samples that are there"),
        (["--anchor", ".:watch=1"], "--anchor is .:watch=1: give samples that are there"),
        (["--anchor", "mqtt://h/t"], "--anchor is mqtt://h/t: give samples that are there"),
        (["--anchor", "{place}/bare.npz"], "sample 0 has no class: give each its own"),
        (["--anchor", "{place}/s.csv"], "row 51 column f1 is broken"),
        (["--anchor", "{place}/nan.npz"], "it holds no samples, or what is not finite"),
        (["--stream", "{place}/s.csv:watch=1"], "--stream option is watch: it does nothing here"),
        (["--update", "last:1"], "--update is last:1: an artifact is planned already: leave it out"),
        (["--batch", "4"], "--batch is 4: an artifact is planned already: leave it out"),
        (["--budget", "0"], "--budget is 0: give bytes above 0, or leave it out"),
        (["--held-out", "0"], "--held-out is 0: give bytes above 0, or leave it out"),
        (["--rate", "0"], "--rate is 0: give a number above 0, or auto; or leave it out"),
        (["--rate", "fast"], "--rate is fast: give a number above 0, or auto; or leave it out"),
        (["--joules-a-day", "0"], "--joules-a-day is 0.0: give a number above 0, or leave it out"),
        (["--joules-a-step", "nan"], "--joules-a-step is nan: give a number above 0, or leave it out"),
        (["--only-charging"], "--joules-a-day is missing"),
        (["--joules-a-day", "1"], "--joules-a-step is missing"),
        (["--page", "life.png"], "--page is life.png: end it in .html"),
        (["--strict"], "row 51 column f1 is broken"),
        (["--work", "."], "--work is .: it holds other things"),
    ],
)
def test_what_cannot_be_is_one_line(place: Path, tmp_path: Path, more: list[str], said: str) -> None:
    (tmp_path / "other").touch()
    more = [word.format(place=place) for word in more]
    given = [] if "--stream" in more else ["--stream", f"{place}/s.csv"]
    found = run("live", str(place / "net"), *given, *more, cwd=tmp_path)
    assert found.code == 2
    assert said in found.err
    assert found.err.count("\n") == 1
    assert not found.out


def test_another_model_setting_or_folder_is_one_line(place: Path, tmp_path: Path) -> None:
    line = ["live", str(place / "net"), "--stream", f"{place}/s.csv", "--work", "life"]
    assert run(*line, cwd=tmp_path).code == 0
    found = run(*line, "--memory", "8KiB", cwd=tmp_path)
    assert found.code == 2
    assert "its memory was 16384, now it is 8192: give the same, or another folder" in found.err
    for words in (["log", "other"], ["export", "other", "--out", "a.npz"]):
        found = run("live", *words, cwd=tmp_path)
        assert (found.code, found.err.count("\n")) == (2, 1)
        assert "nothing has lived there" in found.err
    found = run("live", "export", "life", "--out", "a.pt", cwd=tmp_path)
    assert "--out is a.pt: it is an archive of arrays: end it in .npz" in found.err
    (tmp_path / "life" / "life.json").write_text("{}")
    assert "its life.json cannot be read" in run("live", "log", "life", cwd=tmp_path).err


def test_a_folder_that_is_no_artifact_is_one_line(tmp_path: Path) -> None:
    found = run("live", str(tmp_path), "--stream", "-", cwd=tmp_path)
    assert (found.code, found.err.count("\n")) == (2, 1)
    assert "it holds no manifest.json" in found.err


def test_without_classes_it_learns_to_rebuild_and_says_so(place: Path, tmp_path: Path) -> None:
    import torch

    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(SIZE, 3), torch.nn.Linear(3, SIZE))
    sv.emit(sv.plan(net, torch.zeros(4, SIZE), loss="reconstruction", optimizer=sv.SGD(lr=0.05)), "c", tmp_path / "net")
    found = run("live", "net", "--stream", f"{place}/s.csv", "--json", "--page", "a.html", cwd=tmp_path)
    assert found.code == 0, found.err
    first, *_, before, last = lines_of(found)
    assert (last["seen"], last["accuracy"], first["accuracy"], first["lately"]) == (399, None, None, None)
    assert float(str(before["loss"])) < 0.9 * float(str(first["loss"]))
    assert (tmp_path / "a.html").read_text().count("<svg") == 1
