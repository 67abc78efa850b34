"""The real deployment: a SuperLink and three SuperNodes over TLS, some killed, where nothing but loopback is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

import selvedge as sv
from selvedge.errors import InvalidInput
from selvedge.federate.client.flower import client_app
from selvedge.federate.client.participant import Participant
from selvedge.federate.client.session import SessionTrainer
from selvedge.federate.client.store import InMemory
from selvedge.federate.coordinator import Coordinator
from selvedge.federate.cover import widths
from selvedge.federate.grid.flower_link import SuperLink
from selvedge.federate.grid.flower_loopback import main
from selvedge.federate.grid.virtual import Device, VirtualGrid
from selvedge.federate.keys import Key
from selvedge.federate.layout import Layout
from selvedge.federate.message import read, whose
from selvedge.federate.server import Server

from ..required import missing

ROOT = Path(__file__).parents[2]
PYTHON = os.environ.get("SELVEDGE_FLOWER")  # of an environment with flwr, from `make flower-test`
FROM_A_DEVICE = {"poll", "update", "refusal"}


def needed() -> Path:
    if PYTHON is None:  # minutes, and on a busy machine flwr gives tasks up: not a part of `make test`
        pytest.skip("make flower-test runs it")
    if subprocess.run(["unshare", "-rn", "true"], capture_output=True, check=False).returncode:
        missing("the right to make a network namespace (unshare -rn)")
    return Path(PYTHON)


def right(arrays: dict[str, Any], x: Any, y: Any) -> float:
    hidden = np.maximum(x @ arrays["0.weight"].T + arrays["0.bias"], 0)
    return float(np.mean((hidden @ arrays["2.weight"].T + arrays["2.bias"]).argmax(1) == y))


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    python, folder = needed(), tmp_path_factory.mktemp("flower") / "run"
    around = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]), "OMP_NUM_THREADS": "1"}
    prepare = [sys.executable, str(ROOT / "examples" / "flower" / "prepare.py"), str(folder)]
    subprocess.run(prepare, env=around, check=True)
    run = ["unshare", "-rn", sys.executable, str(Path(__file__).parent / "flower_run.py"), str(folder), str(python)]
    done = subprocess.run(run, env=around, capture_output=True, text=True, check=False, timeout=580)
    assert done.returncode == 0, done.stderr[-2000:]
    return folder, json.loads(done.stdout)


def test_a_node_and_the_server_are_killed_and_the_run_is_finished(ran: tuple[Path, dict[str, Any]]) -> None:
    folder, seen = ran
    assert seen["code"] == 0
    assert any(line.startswith("board ended (-9)") for line in seen["said"])
    assert any(line.startswith("superlink ended (-9)") for line in seen["said"])
    assert sum("started run" in line for line in seen["said"]) == 2
    told = json.loads((folder / "server" / "told.json").read_text())
    assert (told["phase"], told["rounds"], told["changes"]) == ("done", 3, [3, 3, 3])


def test_the_model_is_better_and_is_what_the_journal_says(ran: tuple[Path, dict[str, Any]]) -> None:
    at = ran[0] / "server"
    start, model = dict(np.load(at / "start.npz")), dict(np.load(at / "model.npz"))
    found = load_digits()
    x, y = np.float32(found.images / 16).reshape(-1, 64)[1400:], found.target[1400:]  # no device has these
    assert right(model, x, y) > 0.8 > 0.4 > right(start, x, y)
    given = json.loads((at / "run.json").read_text())
    whole = Layout.of(start)
    covers = {n: widths(whole, Layout({k: tuple(s) for k, s in p.items()})) for n, p in given["covers"].items()}
    settings = sv.Federation(**given["federation"], local=sv.Local(**given["local"]))
    coordinator = Coordinator(settings, whole, whole.vector(start), covers)
    Server(coordinator, at / "journal", Key((at / "key").read_bytes()), {}).close()
    assert coordinator.phase == "done"
    assert whole.vector(model).tobytes() == coordinator.model.astype(np.float32).tobytes()


def test_virtual_time_comes_to_the_same_bits(ran: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    """The same devices, with their keys, samples and code, in one process and without a kill."""
    folder, at = ran[0], ran[0] / "server"
    start, given = dict(np.load(at / "start.npz")), json.loads((at / "run.json").read_text())
    whole, server = Layout.of(start), Key((at / "key").read_bytes())
    covers = {n: widths(whole, Layout({k: tuple(s) for k, s in p.items()})) for n, p in given["covers"].items()}
    devices, public = {}, {}
    for name in given["devices"]:
        home = folder / "nodes" / name
        key, own = Key((home / "key").read_bytes()), np.load(home / "samples.npz")
        trainer = SessionTrainer(sv.load(home / "artifact"), own["x"], own["y"])
        handle = Participant(name, key, server.public, trainer, InMemory()).handle
        devices[name], public[name] = Device(handle, given["parts"].get(name, "")), key.public
    settings = sv.Federation(**given["federation"], local=sv.Local(**given["local"]))
    coordinator = Coordinator(settings, whole, whole.vector(start), covers)
    running = Server(coordinator, tmp_path, server, public)
    running.run(VirtualGrid(devices))
    running.close()
    model = dict(np.load(at / "model.npz"))
    assert whole.vector(model).tobytes() == coordinator.model.astype(np.float32).tobytes()


def test_nothing_but_loopback_was_asked_for(ran: tuple[Path, dict[str, Any]]) -> None:
    assert ran[1]["left"] == 0
    assert ran[1]["counts"] > 0, "a connection to elsewhere is seen where it is tried"


def test_only_messages_of_the_allow_list_left_the_devices(ran: tuple[Path, dict[str, Any]]) -> None:
    folder, seen = ran
    run = json.loads((folder / "server" / "run.json").read_text())
    messages = [bytes.fromhex(m) for m in seen["messages"]]
    kinds = [read(m, bytes.fromhex(run["devices"][whose(m)]), 1 << 20).kind for m in messages]
    assert set(kinds) <= FROM_A_DEVICE
    assert kinds.count("poll") >= 6, "three devices, asked by two servers"
    assert kinds.count("update") >= 9
    # What Flower says beside them has no room for a model, nor for a sample.
    assert max(seen["other"].values()) < 1500, seen["other"]
    data = bytes.fromhex(seen["bytes"])
    assert sum(map(len, messages)) > 9 * 1000
    for name in run["devices"]:
        with np.load(folder / "nodes" / name / "samples.npz") as kept:
            for row in kept["x"]:
                assert row.tobytes() not in data
                assert np.uint8(row * 16).tobytes() not in data


def test_without_flwr_one_line_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        import flwr  # noqa: F401
    except ModuleNotFoundError:
        pass
    else:
        missing("an environment without flwr")
    with pytest.raises(InvalidInput, match=r"flwr is not installed: pip install 'selvedge\[flower\]'"):
        SuperLink(object())
    with pytest.raises(InvalidInput, match="flwr is not installed"):
        client_app("tried", lambda context: None)  # type: ignore[arg-type, return-value]
    assert main([str(tmp_path), str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
