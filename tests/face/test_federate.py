"""``selvedge federate``: a simulation cut off and gone on; a server and devices as processes; what is refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

import selvedge as sv
from selvedge.errors import InvalidInput
from selvedge.face.federating.joining import samples
from selvedge.federate import invitation, secret
from selvedge.federate.client.https import UPDATE, Connection
from selvedge.federate.client.masking import Masking
from selvedge.federate.client.participant import Participant
from selvedge.federate.client.session import SessionTrainer, state_of
from selvedge.federate.client.store import InMemory
from selvedge.federate.coordinator import Coordinator
from selvedge.federate.cover import widths
from selvedge.federate.federation import Federation
from selvedge.federate.grid.virtual import Device, VirtualGrid
from selvedge.federate.keys import Key
from selvedge.federate.layout import Layout
from selvedge.federate.local import Local
from selvedge.federate.masked import Masked
from selvedge.federate.masking.demands import Demands
from selvedge.federate.message import made
from selvedge.federate.server import Server
from selvedge.run.artifact import load
from tests.face.command import Process, fresh, run, start

NET = """
import torch


def make(classes, width=16):
    torch.manual_seed(1)
    layers = torch.nn.Flatten(), torch.nn.Linear(64, width), torch.nn.ReLU(), torch.nn.Linear(width, classes)
    return torch.nn.Sequential(*layers)


def small(classes):
    return make(classes, 8)


def huge(classes):
    return make(classes, 4096)
"""
SIMULATE = ("federate", "simulate", "net.py:make", "--data", "digits.npz")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    found = load_digits()
    x, y = np.float32(found.images / 16), found.target
    np.savez(tmp_path / "digits.npz", x=x[:600], y=y[:600], group=np.arange(600) % 12)
    for i in range(3):
        np.savez(tmp_path / f"own{i}.npz", x=x[600 + 100 * i : 700 + 100 * i], y=y[600 + 100 * i : 700 + 100 * i])
    (tmp_path / "net.py").write_text(NET)
    return tmp_path


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def rounds(folder: Path) -> int:
    try:
        return int(json.loads((folder / "status.json").read_text())["round"])
    except FileNotFoundError:
        return 0


def until(folder: Path, count: int, process: Process | None = None) -> None:
    end = time.monotonic() + 90
    while rounds(folder) < count and (process is None or process.running()):
        assert time.monotonic() < end
        time.sleep(0.01)


def test_killed_and_interrupted_a_simulation_ends_the_same(place: Path) -> None:
    """Three kinds of device, one of them with half the channels, over a bad network."""
    line = (
        *SIMULATE, "--clients", "12", "--split", "dirichlet:0.5", "--rounds", "40", "--per-round", "6", "--over", "1.3",
        "--deadline", "30", "--codec", "top:0.2+int4", "--epochs", "2", "--device", "nrf52840", "--device",
        "esp32-s3", "--device", "nrf52832=net.py:small", "--faults", "drop=0.05,crash=0.05,corrupt=0.02", "--json",
    )  # fmt: skip
    whole = run(*line, "--out", "whole", cwd=place)
    assert (whole.code, whole.err) == (0, "")
    *moves, last = lines(whole.out)
    assert [m["round"] for m in moves] == list(range(1, 41))
    assert last["phase"] == "done"
    assert last["accuracy"] == moves[-1]["accuracy"] > 0.7
    assert last["test"]["accuracy"] > 0.7
    assert last["joules"] == moves[-1]["joules"] > 0
    assert 0 < moves[0]["up"] < moves[-1]["up"] < last["down"]
    assert last["lost"] == sum(m["lost"] for m in moves) > 0
    for how in (signal.SIGKILL, signal.SIGINT):
        process = start(*line, "--out", "cut", cwd=place)
        until(place / "cut", rounds(place / "cut") + 4, process)
        os.kill(process.pid, how)
        ended = process.result()
    assert ended.code == 130
    assert ended.err.startswith("selvedge: interrupted after ")
    assert ended.err.endswith(": they are in cut; the same line goes on from there\n")
    again = run(*line, "--out", "cut", cwd=place)
    assert lines(again.out)[:-1] == moves
    a, b = (np.load(place / name / "model.npz") for name in ("whole", "cut"))
    assert all(a[n].tobytes() == b[n].tobytes() for n in a.files)
    page = (place / "cut" / "federation.html").read_text()
    assert page.count("<svg") == 5
    assert "Accuracy against KiB sent by devices" in page
    told = run("federate", "status", "cut", cwd=place)
    assert told.code == 0
    assert told.out.startswith("federation: done; 40 of 40 rounds\n")
    assert "refused " in told.out
    assert json.loads(run("federate", "status", "cut", "--json", cwd=place).out)["running"] is False
    other = run(*line, "--out", "cut", "--seed", "1", cwd=place)
    assert other.code == 2
    assert "its seed was 0, now it is 1: give the same, or another folder" in other.err


def test_people_stay_together_and_a_summary_is_said(place: Path) -> None:
    line = ("--clients", "0", "--split", "by-column", "--rounds", "3", "--device", "nrf52840", "--out", "run")
    found = run(*SIMULATE, *line, cwd=place)
    assert found.code == 0, found.err
    assert found.out.startswith("federation: done; 3 of 3 rounds\nheld out: ")
    assert "sent: " in found.out
    predicted = run("predict", "run/model", "own0.npz", "--json", cwd=place)
    assert predicted.code == 0, predicted.err


BAD = [
    (("--clients", "0"), "--clients is 0: give a whole number >= 1"),
    (("--split", "dirichlet:x"), "--split is dirichlet:x: give iid, by-column, or dirichlet:ALPHA"),
    (("--rule", "best"), "--rule is best: give mean, median, trimmed:SHARE"),
    (("--codec", "zip"), "zip"),
    (("--device", "nrf52833x"), "nrf52833x"),
    (("--device", "nrf52832=net.py:small"), "at least one kind of device has the whole model"),
    (("--faults", "drop=2"), "--faults drop is 2"),
    (("--faults", "fire=1"), "--faults is fire=1: give each once, as drop=0.1"),
    (("--rounds", "0"), "--rounds is 0: give a whole number >= 1"),
    (("--least", "40"), "--least is 40: give at most clients"),
    (("--lr", "-1"), "--lr is -1"),
    (("--server-optimizer", "adam:speed=1"), "--server-optimizer is speed=1"),
    (("--masked", "bits=20"), "--masked bits is 20: give a whole number, 2 to 16"),
    (("--masked", "4,"), "--masked is 4: give each once, as bits=4"),
    (("--masked", "threshold=third"), "--masked threshold is third: give half or two-thirds"),
    (("--masked", "4", "--codec", "top:0.1+int4"), "--codec with --masked is top:0.1+int4: the places of"),
    (("--masked", "4", "--rule", "median"), "--rule with --masked is median: it judges single changes"),
    (("--masked", "4", "--mode", "buffered"), "--mode with --masked is buffered: masks cancel only"),
    (("--masked", "4", "--scaffold"), "--scaffold with --masked is True: a control variate"),
    (("--masked", "4", "--per-round", "2"), "--per-round with --masked is 2: a group has at least 8"),
    (("--data", "none.npz"), "none.npz"),
    (("--out", "net.py"), "--out is net.py: it is a file"),
]


def test_bad_input_is_one_clear_line(place: Path) -> None:
    from selvedge.errors import SelvedgeError
    from selvedge.face.cli import app

    before = Path.cwd()
    os.chdir(place)
    try:
        for given, said in BAD:
            with pytest.raises(SelvedgeError) as caught:
                app([*SIMULATE, *([] if "--out" in given else ["--out", "run"]), *given], standalone_mode=False)
            text = str(caught.value)
            assert said in text, given
            assert "\n" not in text
    finally:
        os.chdir(before)
    assert not (place / "run").exists()


SAMPLES = {
    "none.npz": "--data is none.npz: there is no such file or folder: give a .csv",
    "nolabel.npz": "sample 0 has no class",
    "empty.npz": "it holds no samples: give at least one",
    "nan.npz": "sample 1 holds what is no finite number",
    "shape.npz": "the samples of shape.npz are [4, 8]",
    "class.npz": "y 0 is 42",
    "junk.npz": "it cannot be read",
    "-": "join learns from samples that are there",
    "mqtt://host/topic": "join learns from samples that are there",
    "camera:0": "join learns from samples that are there",
}


def network() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 8), torch.nn.ReLU(), torch.nn.Linear(8, 10))


def test_samples_that_a_device_cannot_learn_from_are_one_line(place: Path) -> None:
    plan = sv.plan(
        network(), torch.zeros(4, 8, 8), device="nrf52840", optimizer=sv.SGD(0.1), loss="cross_entropy", name="net"
    )
    session, own = sv.compile(plan), dict(np.load(place / "own0.npz"))
    x, y = own["x"], own["y"]
    odd = x.copy()
    odd[1, 0, 0] = np.nan
    for name, arrays in {
        "nolabel": {"x": x}, "empty": {"x": x[:0], "y": y[:0]}, "nan": {"x": odd, "y": y},
        "shape": {"x": x[:, :4], "y": y}, "class": {"x": x, "y": np.full_like(y, 42)},
    }.items():  # fmt: skip
        np.savez(place / f"{name}.npz", **arrays)
    (place / "junk.npz").write_bytes(b"junk" * 9)
    assert samples(session, str(place / "own0.npz"))[0].shape == (100, 8, 8)
    before = Path.cwd()
    os.chdir(place)
    try:
        for data, said in SAMPLES.items():
            with pytest.raises(InvalidInput) as caught:
                samples(session, data)
            assert said in str(caught.value)
            assert "\n" not in str(caught.value)
    finally:
        os.chdir(before)


def test_what_does_not_fit_a_kind_of_device_is_refused_with_its_name(place: Path) -> None:
    found = run(
        "federate", "simulate", "net.py:huge", "--data", "digits.npz", "--device", "raspberry-pi-4", "--device",
        "nrf52832", "--out", "run", cwd=place,
    )  # fmt: skip
    assert found.code == 2
    first = found.err.splitlines()[0]
    assert first.startswith("selvedge: RAM of nrf52832 does not fit: needs ")
    assert "a narrower model for it, --device nrf52832=MODEL" in first
    assert not (place / "run").exists(), "nothing has begun: another line may begin there"


class Place:
    """A server and its devices, as processes of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, ""
        self._running: list[subprocess.Popen[str]] = []
        # There is nothing that can be imported as torch where devices are.
        (folder / "device").mkdir()
        (folder / "device" / "torch.py").write_text("raise ImportError('there is no torch here')\n")

    def started(self, *arguments: str, log: str, torch: bool = True) -> subprocess.Popen[str]:
        path = os.environ.get("PYTHONPATH", "")
        env = {**os.environ, "PYTHONPATH": path if torch else f"{self.folder / 'device'}:{path}"}
        with (self.folder / log).open("a") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "selvedge", "federate", *arguments], cwd=self.folder, env=env, stdout=out,
                stderr=out, text=True,
            )  # fmt: skip
        self._running.append(process)
        return process

    def serve(
        self, number: int = 12, kinds: tuple[str, ...] = ("nrf52840", "nrf52832=net.py:small"), *more: str
    ) -> subprocess.Popen[str]:
        of = [part for kind in kinds for part in ("--device", kind)]
        return self.started(
            "serve", "net.py:make", "--data", "digits.npz", *of, "--rounds", str(number), "--per-round", "3", "--least",
            "3", "--deadline", "80", "--codec", "int8", "--lr", "0.1", "--out", "run", "--port", self.port or "0",
            "--json", *more, log="serve.log",
        )  # fmt: skip

    def url(self) -> str:
        end = time.monotonic() + 90
        while True:
            found = [e for e in lines(self.said("serve.log")) if e.get("event") == "serving"]
            if found:
                return str(found[-1]["url"])
            assert time.monotonic() < end, self.said("serve.log")
            time.sleep(0.05)

    def said(self, log: str) -> str:
        return "\n".join(line for line in (self.folder / log).read_text().splitlines() if line.endswith("}"))

    def end(self) -> None:
        for process in self._running:
            if process.poll() is None:
                process.kill()
            process.wait()


@pytest.fixture
def served(place: Path) -> Iterator[Place]:
    made = Place(place)
    yield made
    made.end()


def asked(url: str, trusted: Path, data: bytes) -> int:
    """The status of an update, of a server that begins."""
    end = time.monotonic() + 90
    while True:
        connection = Connection(url, trusted)
        try:
            return connection.ask(UPDATE, data, 100)[0]
        except ConnectionRefusedError:
            assert time.monotonic() < end
            time.sleep(0.1)
        finally:
            connection.close()


def in_virtual_time(folder: Path, kinds: list[str], number: int = 12, masked: Masked | None = None) -> dict[str, Any]:
    """What the same devices come to, with their keys, their samples and the code that they were given, and no kill."""
    sessions = [load(folder / "run" / "devices" / kind / "model") for kind in kinds]
    whole, server = Layout.of(state_of(sessions[0])), secret.key(folder / "run" / "server.key")
    covers = {kind: widths(whole, Layout.of(state_of(s))) for kind, s in zip(kinds, sessions, strict=True)}
    devices, public = dict[str, Device](), dict[str, bytes]()
    masking = None if masked is None else Masking.among(public)  # once all are there
    for i, (kind, session) in enumerate(zip(kinds, sessions, strict=True)):
        key, name = secret.key(folder / f"state{i}" / "device.key"), f"device-{i}"
        seed = int.from_bytes(key.public[:4], "little")
        trainer = SessionTrainer(session, *samples(session, str(folder / f"own{i}.npz")), seed=seed)
        public[name] = key.public
        devices[name] = Device(Participant(name, key, server.public, trainer, InMemory(), 0, masking).handle, kind)
    settings = Federation("federation", number, 3, least=3, up="int8", local=Local(rate=0.1), masked=masked)
    coordinator = Coordinator(settings, whole, whole.vector(state_of(sessions[0])), covers)
    running = Server(coordinator, folder / "virtual", server, public)
    running.run(VirtualGrid(devices))
    running.close()
    return whole.arrays(coordinator.model.astype(np.float32))


def test_devices_join_a_server_that_is_killed_and_comes_back(served: Place) -> None:
    server, folder = served.serve(), served.folder
    url = served.url()
    served.port = url.rpartition(":")[2]
    kinds = ["nrf52840", "nrf52840", "nrf52832"]
    devices, listed = [], ""
    for i, kind in enumerate(kinds):
        name = f"device-{i}"
        enrolled = ("join", "--enrol", "--store", f"state{i}", "--name", name, "--device", f"run/devices/{kind}")
        key = run("federate", *enrolled, cwd=folder)
        assert key.code == 0, key.err
        assert key.out.split()[::2] == [name, kind]
        listed += key.out
        joining = ("join", url, "--device", f"run/devices/{kind}", "--data", f"own{i}.npz", "--store", f"state{i}")
        devices.append(served.started(*joining, "--json", log=f"{i}.log", torch=False))
    with (folder / "run" / "allowed.txt").open("a") as file:
        file.write(listed)
    until(folder / "run", 2)
    there = ("federate", "status", url, "--operator", "run/operator.json", "--json")
    now = json.loads(run(*there, cwd=folder).out)
    assert now["running"] is True
    assert (now["known"], now["rounds"]) == (3, 12)
    assert now["phase"] in ("open", "waiting")  # for the next round
    assert json.loads(run("federate", "status", "run", "--json", cwd=folder).out)["running"] is True
    server.kill()
    server.wait()
    assert json.loads(run("federate", "status", "run", "--json", cwd=folder).out)["running"] is False
    assert 2 <= rounds(folder / "run") < 12
    again = served.serve()
    stranger = made("poll", {"run": "federation", "client": "nobody", "now": 1.0}, b"", Key()).packed()
    assert asked(url, folder / "run" / "devices" / "nrf52840" / "certificate.pem", stranger) == 403
    assert again.wait(240) == 0, served.said("serve.log")
    assert [d.wait(60) for d in devices] == [0, 0, 0]
    end = json.loads(run("federate", "status", "run", "--json", cwd=folder).out)
    assert (end["phase"], end["round"], end["seen"]) == ("done", 12, 3)
    assert [m["version"] for m in end["moves"]] == list(range(1, 13))
    assert end["accuracy"] > 0.5
    of_the_kill = {"of a task that is over", "an update that was counted already"}
    assert set(end["refused"]) - of_the_kill == {"of nobody who is known here"}
    assert "refused: someone: of nobody who is known here" in served.said("serve.log")
    taken = sum(move["changes"] for move in end["moves"])
    assert taken == 3 * 12
    assert sum(seen["taken"] for seen in end["devices"].values()) == taken
    model = np.load(folder / "run" / "model.npz")
    for name, array in in_virtual_time(folder, kinds).items():
        assert model[name].tobytes() == array.tobytes(), name
    sent = [lines(served.said(f"{i}.log"))[-1] for i in range(3)]
    assert all(told["ended"] == "over" for told in sent)
    assert sum(told["changes"] for told in sent) >= taken
    assert (folder / "run" / "federation.html").read_text().count("<svg") == 5
    for own in ("run/server.key", "run/operator.json", "run/tls/localhost.key", "state0/device.key"):
        assert (folder / own).stat().st_mode & 0o077 == 0


def test_devices_join_a_masked_run_and_only_sums_are_known(served: Place) -> None:
    """What comes of it is, to the bit, what virtual time makes of the same devices."""
    masked, folder = ("--masked", "bits=8,members=3,threshold=two-thirds,stage=200"), served.folder
    server = served.serve(3, ("nrf52840",), *masked)
    url = served.url()
    kit, listed = folder / "run" / "devices" / "nrf52840", ""
    for i in range(3):
        enrolled = ("join", "--enrol", "--store", f"state{i}", "--name", f"device-{i}", "--device", str(kit))
        listed += run("federate", *enrolled, cwd=folder).out
    with (folder / "run" / "allowed.txt").open("a") as file:
        file.write(listed)
    end = time.monotonic() + 60
    while "device-2" not in (kit / "members.txt").read_text():  # whom devices are to believe
        assert time.monotonic() < end
        time.sleep(0.1)

    def joining(i: int) -> Process:
        of = ("--device", str(kit), "--data", f"own{i}.npz", "--store", f"state{i}", "--members", "3")
        return served.started("join", url, *of, "--json", log=f"{i}.log", torch=False)

    devices = [joining(0)]
    while not (folder / "state0" / "taking-part").exists():
        assert time.monotonic() < end
        time.sleep(0.1)
    # Fewer than are safe are for their owner to say; and nobody takes part twice out of one folder.
    of = ("federate", "join", url, "--device", str(kit), "--data", "own0.npz", "--store")
    small, twice = run(*of, "other", cwd=folder), run(*of, "state0", "--members", "3", cwd=folder)
    assert (small.code, twice.code) == (2, 2)
    assert "--members is 8: federation promises 3, fewer hide less of each" in small.err
    assert "--store is state0: another selvedge federate join takes part out of it" in twice.err
    assert len(small.err.splitlines()) == len(twice.err.splitlines()) == 1
    devices += [joining(1), joining(2)]
    assert server.wait(240) == 0, served.said("serve.log")
    assert [d.wait(60) for d in devices] == [0, 0, 0]
    told = json.loads((folder / "run" / "status.json").read_text())
    assert (told["phase"], told["round"], told["lost"]) == ("done", 3, 0)
    assert {n: seen["taken"] for n, seen in told["course"]["devices"].items()} == {f"device-{i}": 3 for i in range(3)}
    assert all(m["changes"] == m["asked"] == 3 for m in told["course"]["moves"])
    model = np.load(folder / "run" / "model.npz")
    for name, array in in_virtual_time(
        folder, ["nrf52840"] * 3, 3, Masked(8, threshold="two-thirds", members=3)
    ).items():
        assert model[name].tobytes() == array.tobytes(), name
    invited = invitation.read(kit)
    assert invited.begun.startswith("federation/")
    promised = invitation.rules(invited.server, "", "two-thirds:2:3")
    assert invited.demands == Demands(colluders=True, run=invited.begun, rules=promised)


def test_what_a_device_and_an_operator_give_wrongly(place: Path) -> None:
    (place / "kit").mkdir()
    join = ("federate", "join")
    for arguments, said in (
        ((*join, "--store", "s"), "URL is missing"),
        ((*join, "https://localhost:1", "--store", "s", "--data", "own0.npz", "--device", "kit"), "no invitation.json"),
        ((*join, "--enrol", "--store", "net.py"), "--store is net.py: it is a file"),
        ((*join, "--enrol", "--store", "s", "--name", "a b"), "device name is a b"),
        (("federate", "status", "kit"), "no run has begun there"),
        (("federate", "status", "https://localhost:1"), "--operator is missing"),
        (
            ("federate", "status", "https://localhost:1", "--operator", "net.py"),
            "--operator is net.py: it cannot be read",
        ),
        (("federate", "serve", "net.py:make", "--out", "r", "--host", "a b"), "--host is a b"),
        (("federate", "serve", "net.py:nope", "--data", "digits.npz", "--out", "r"), "factory is nope"),
        (("federate", "serve", "net.py:make", "--out", "r", "--key", "k"), "give --certificate and --key, or neither"),
    ):
        found = run(*arguments, cwd=place)
        assert found.code == 2, arguments
        assert said in found.err
        assert len(found.err.splitlines()) == 1
    assert not (place / "r").exists()
    first = run(*join, "--enrol", "--store", "s", cwd=place)
    assert run(*join, "--enrol", "--store", "s", cwd=place).out == first.out
    other = run(*join, "--enrol", "--store", "s", "--name", "other", cwd=place)
    assert (other.code, "this device is " in other.err) == (2, True)


def test_a_plain_line_of_join_is_read_as_the_full_command_line_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each option that there is, in both ways of writing it; whatever else is said is left to the other."""
    import typer

    from selvedge.face.cli import app
    from selvedge.face.federating import device, joining

    read: list[joining.Line] = []

    def noted(line: joining.Line) -> tuple[int, str]:
        read.append(line)
        return 0, ""

    monkeypatch.setattr(joining, "run", noted)
    command = typer.main.get_command(app).commands["federate"].commands["join"]  # type: ignore[attr-defined]
    options = [p for p in command.params if p.opts[0].startswith("--")]
    valued = [p.opts[0] for p in options if not p.is_flag and p.opts[0] != "--help"]
    assert sorted(valued) == sorted(device.VALUES)
    assert sorted(p.opts[0] for p in options if p.is_flag and p.opts[0] != "--help") == sorted(device.FLAGS)
    apart = ["https://h:1", *(word for option in valued for word in (option, f"a{option}=b"))]
    joined = [*(f"{option}=c{option}" for option in valued), *device.FLAGS, "https://h:1"]
    for line in (apart, joined, ["--store", "s"], ["--store", "s", "--store=t", "--enrol"]):
        app(["federate", "join", *line], standalone_mode=False)
        with pytest.raises(SystemExit) as ended:
            device.main(line)
        assert ended.value.code == 0
        assert read[-1] == read[-2]
    odd = (
        [], ["u", "v", "--store", "s"], ["--stor", "s"], ["--store"], ["--store", "s", "--help"], ["--store", "-"],
        ["--debug", "--store", "s"], ["--store", "s", "--json=1"], ["--store", "s", "--", "-u"],
    )  # fmt: skip
    assert [device.words(line) for line in odd] == [None] * len(odd)


def test_a_device_and_its_status_load_no_torch(place: Path) -> None:
    (place / "torch.py").write_text("raise ImportError('there is no torch here')\n")
    env = {"PYTHONPATH": f"{place}:{os.environ.get('PYTHONPATH', '')}"}
    assert fresh("federate", "join", "--enrol", "--store", "s", cwd=place, env=env).code == 0
    assert fresh("federate", "status", "s", cwd=place, env=env).code == 2
