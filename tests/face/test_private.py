"""``selvedge federate`` with ``--privacy`` and ``--budget``: a server and devices as processes; what is refused."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selvedge.face.federating.report import Report
from selvedge.face.federating.wish import needed
from selvedge.federate import invitation
from selvedge.federate.client.session import state_of
from selvedge.federate.course import Course
from selvedge.federate.privacy.accountant import Accountant
from selvedge.federate.privacy.ledger import kept
from selvedge.federate.privacy.settings import Privacy
from selvedge.run.artifact import load
from tests.face.command import run, start
from tests.face.test_federate import SIMULATE, Place, lines, place, until

ROOT = Path(__file__).parents[2]
KIND, DELTA = "nrf52840", 1e-3
__all__ = ["place"]


@pytest.fixture
def served(place: Path) -> Iterator[Place]:
    made = Place(place)
    yield made
    made.end()


class Run:
    """A server of a private run, and three devices that may take part."""

    def __init__(self, served: Place, *more: str, rounds: int = 2) -> None:
        self.of, self.folder = served, served.folder
        self.server = served.started(
            "serve", "net.py:make", "--data", "digits.npz", "--device", KIND, "--rounds", str(rounds), "--per-round",
            "3", "--lr", "0.1", "--out", "run", "--port", "0", "--json", *more, log="serve.log",
        )  # fmt: skip
        self.url = served.url()
        self.kit = self.folder / "run" / "devices" / KIND
        enrolled = [
            run("federate", "join", "--enrol", "--store", f"state{i}", "--name", f"device-{i}", cwd=self.folder)
            for i in range(3)
        ]
        assert [found.code for found in enrolled] == [0, 0, 0]
        with (self.folder / "run" / "allowed.txt").open("a") as file:
            file.writelines(found.out for found in enrolled)
        end = time.monotonic() + 60
        while (self.kit / invitation.MEMBERS).exists() and "device-2" not in self.members():
            assert time.monotonic() < end
            time.sleep(0.1)

    def members(self) -> str:
        return (self.kit / invitation.MEMBERS).read_text()

    @property
    def promise(self) -> Privacy:
        made = invitation.read(self.kit).promise
        assert made is not None
        return made

    def line(self, i: int, *more: str) -> tuple[str, ...]:
        return ("join", self.url, "--device", str(self.kit), "--data", f"own{i}.npz", "--store", f"state{i}", *more)

    def joined(self, i: int, *more: str) -> subprocess.Popen[str]:
        return self.of.started(*self.line(i, *more), "--json", log=f"{i}.log", torch=False)

    def last(self, i: int) -> dict[str, Any]:
        return lines(self.of.said(f"{i}.log"))[-1]

    def status(self, of: str) -> Any:
        found = run("federate", "status", of, "--json", cwd=self.folder)
        assert found.code == 0, found.err
        return json.loads(found.out)

    def moved(self) -> Any:
        """float64: by how much the model is another than the one that devices were given."""
        began, now = state_of(load(self.kit / "model")), np.load(self.folder / "run" / "model.npz")
        return np.concatenate([(now[n] - began[n]).ravel() for n in now.files]).astype(np.float64)


def spent(promise: Privacy, releases: int) -> float:
    return Accountant([(promise.release(), releases)]).epsilon(DELTA)


def test_a_device_whose_own_budget_is_spent_takes_part_no_more_and_the_run_goes_on(served: Place) -> None:
    """The server adds the noise; one owner lets two rounds be told of."""
    made = Run(served, "--privacy", "epsilon=8,delta=1e-3,clip=1", "--deadline", "6", rounds=6)
    own = f"epsilon={spent(made.promise, 2) + 1e-5:.6f},delta=1e-3"
    last = made.joined(2, "--budget", own)
    while "in 0 releases" not in served.said("2.log"):  # it may miss some of the six all the same
        assert last.poll() is None
        time.sleep(0.1)
    devices = [made.joined(0), made.joined(1), last]
    assert made.server.wait(240) == 0, served.said("serve.log")
    assert [device.wait(60) for device in devices] == [0, 0, 3]
    end = json.loads((made.folder / "2.log").read_text().splitlines()[-2])
    assert (end["ended"], end["name"]) == ("spent", "device-2")
    said = "selvedge: the privacy budget is spent: epsilon "
    assert (made.folder / "2.log").read_text().splitlines()[-1].startswith(said)
    # A device that has no budget left says so, whoever asks; and what it has told stays counted.
    here = made.status("state2")
    assert (here["device"], here["releases"], here["left"]) == ("device-2", 2, False)
    assert here["epsilon"] == pytest.approx(spent(made.promise, 2), abs=1e-5)
    words = run("federate", "status", "state2", cwd=made.folder)
    assert words.out == f"device-2: epsilon {here['epsilon']:.3f} of {here['budget']:g} is told, at delta 0.001, " + (
        "in 2 releases; one more is past\n"
    )
    other = run("federate", *made.line(2, "--budget", "9"), cwd=made.folder)
    assert (other.code, "--budget is state2/budget.json: it is of a budget of epsilon" in other.err) == (2, True)
    # Of the others the run's account is the only one, and it says what it has spent.
    assert not (made.folder / "state0" / "budget.json").exists()
    stated = made.status("run")["privacy"]
    assert (stated["releases"], stated["where"]) == (6, "central")
    assert stated["epsilon"] == pytest.approx(spent(made.promise, 6), abs=1e-5)
    assert 7.9 < stated["epsilon"] <= 8
    assert json.loads((made.folder / "run" / "privacy.json").read_text()) == stated
    words = run("federate", "status", "run", cwd=made.folder)
    of = f"privacy: epsilon {stated['epsilon']:.3f} of 8 at delta 0.001, in 6 releases"
    assert f"{of}; central noise hides a device with all its samples\n" in words.out
    counted = {n: seen["taken"] for n, seen in made.status("run")["devices"].items()}
    assert counted.pop("device-2") == 2
    assert sorted(counted) == ["device-0", "device-1"]
    # A round of two begins without the third; but none of these two can be missing where the other one is gone.
    assert all(4 <= count <= 6 for count in counted.values())


def test_local_noise_is_in_what_devices_send_and_each_counts_its_own(served: Place) -> None:
    made = Run(served, "--privacy", "epsilon=8,delta=1e-3,clip=0.5,where=local", "--least", "3", "--deadline", "60")
    devices = [made.joined(i) for i in range(3)]
    assert made.server.wait(240) == 0, served.said("serve.log")
    assert [device.wait(60) for device in devices] == [0, 0, 0]
    sigma = made.promise.noise * 0.5  # of each device; the mean of three, twice
    assert np.std(made.moved()) == pytest.approx(sigma * np.sqrt(2 / 3), rel=0.15)
    for i in range(3):
        here = made.status(f"state{i}")
        assert (here["releases"], here["budget"]) == (2, 8)
        assert here["epsilon"] == pytest.approx(spent(made.promise, 2), abs=1e-5)
    words = run("federate", "status", "run", cwd=made.folder).out
    assert "in 2 releases, of a device that has answered all; each counts its own; local noise hides" in words
    # A folder with an account joins no run that has none.
    plain = json.loads((made.kit / invitation.FILE).read_text())
    (made.kit / invitation.FILE).write_text(json.dumps({**plain, "privacy": ""}))
    for more, value in (((), "kept in --store"), (("--budget", "8"), "8")):
        found = run("federate", *made.line(0, *more), cwd=made.folder)
        assert found.code == 2
        assert f"--budget is {value}: federation adds no noise, so that what it tells has no end" in found.err
        assert len(found.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("per_round", "masked", "privacy", "wanted"),
    [(3, "", "", 2), (3, "members=3", "", 3), (20, "members=3", "", 11), (20, "members=15", "epsilon=8", 15),
     (20, "members=3,covered=16", "", 16), (9, "members=8", "epsilon=8,rate=0.5", 1)],
)  # fmt: skip
def test_a_round_waits_for_a_group(per_round: int, masked: str, privacy: str, wanted: int) -> None:
    """One of fewer gives no sum, and is a release of the budget all the same."""
    assert needed(per_round, masked, privacy) == wanted


def test_a_device_whose_account_breaks_ends_and_says_so(served: Place) -> None:
    made = Run(served, "--privacy", "epsilon=8,delta=1e-3,clip=0.5,where=local", "--deadline", "10", rounds=40)
    last = made.joined(2)
    while "in 0 releases" not in served.said("2.log"):
        assert last.poll() is None
        time.sleep(0.1)
    (made.folder / "state2" / "budget.json").write_text("{")
    made.joined(0)
    assert last.wait(120) == 2
    assert "--budget is state2/budget.json: it is damaged" in (made.folder / "2.log").read_text().splitlines()[-1]


def test_members_of_a_masked_group_add_the_noise_that_they_were_promised(served: Place) -> None:
    masked = ("--masked", "bits=14,members=3,stage=200", "--deadline", "200")
    made = Run(served, "--privacy", "epsilon=8,delta=1e-3,clip=0.5,where=distributed", *masked)
    devices = [made.joined(i, "--members", "3") for i in range(3)]
    assert made.server.wait(240) == 0, served.said("serve.log")
    assert [device.wait(60) for device in devices] == [0, 0, 0]
    stated = made.status("run")["privacy"]
    assert (stated["where"], stated["releases"]) == ("distributed", 2)
    assert 7.8 < stated["epsilon"] <= 8
    for i in range(3):
        here = made.status(f"state{i}")
        assert (here["releases"], here["budget"]) == (2, 8)
        assert here["epsilon"] == pytest.approx(stated["epsilon"], abs=1e-5)
    # Of three in a sum two have all of the noise, and there are three; the mean of three, twice.
    expected = made.promise.noise * 0.5 * np.sqrt(3 / 2) / 3 * np.sqrt(2)
    assert np.std(made.moved()) == pytest.approx(expected, rel=0.15)


def test_a_simulation_that_is_killed_adds_the_same_noise(place: Path) -> None:
    """Of the secret that is in its journal: however often it is gone on with from there, it comes to the same bits."""
    line = (
        *SIMULATE, "--clients", "12", "--rounds", "30", "--per-round", "12", "--epochs", "2", "--device", KIND,
        "--privacy", "epsilon=20,delta=1e-3,clip=1", "--json",
    )  # fmt: skip
    process = start(*line, "--out", "cut", cwd=place)
    until(place / "cut", 5, process)
    os.kill(process.pid, signal.SIGKILL)
    process.result()
    shutil.copytree(place / "cut", place / "copy")
    ends = [run(*line, "--out", out, cwd=place) for out in ("cut", "copy")]
    assert [end.code for end in ends] == [0, 0], ends[0].err
    one, other = (np.load(place / out / "model.npz") for out in ("cut", "copy"))
    assert all(one[n].tobytes() == other[n].tobytes() for n in one.files)
    *moves, last = lines(ends[0].out)
    assert [m["round"] for m in moves] == list(range(1, 31))
    assert last["privacy"]["releases"] == 30
    assert last["privacy"]["epsilon"] <= 20
    changed = run(*(word.replace("=20", "=21") for word in line), "--out", "cut", cwd=place)
    assert (changed.code, "its privacy was epsilon=20" in changed.err) == (2, True)


BAD = [
    ("8", "--privacy is 8: give each once, as epsilon=8"),
    ("epsilon=8,delta=1e-3", "--privacy clip is missing: give --privacy epsilon=8,delta=1e-3,clip=1"),
    ("epsilon=8,clip=1", "--privacy delta is missing"),
    ("epsilon=x,delta=1e-3,clip=1", "--privacy epsilon is x: give a number"),
    ("epsilon=8,delta=2,clip=1", "--privacy delta is 2"),
    ("epsilon=-1,delta=1e-3,clip=1", "--privacy epsilon is -1"),
    ("epsilon=nan,delta=1e-3,clip=1", "--privacy epsilon is nan"),
    ("epsilon=8,delta=1e-3,clip=0", "--privacy clip is 0"),
    ("epsilon=8,delta=1e-3,clip=1,noise=0", "--privacy noise is 0"),
    ("epsilon=8,delta=1e-3,clip=1,noise=0.1", "--privacy noise is 0.1: one round by it tells more than epsilon 8"),
    ("epsilon=8,delta=1e-3,clip=1,noise=1,where=local", "--privacy noise is 1.0: one round by it tells more"),
    ("epsilon=1e-6,delta=1e-12,clip=1", "--privacy epsilon is 1e-06: no noise"),
    ("epsilon=8,delta=1e-3,clip=1,where=here", "--privacy where is here: give central, distributed, local"),
    ("epsilon=8,delta=1e-3,clip=1,where=local,where=local", "give where and unit once each"),
    ("epsilon=8,delta=1e-3,clip=1,where=local,rate=0.5", "--privacy rate is 0.5"),
    ("epsilon=8,delta=1e-3,clip=1,rate=2", "--privacy rate is 2"),
    (
        "epsilon=8,delta=1e-3,clip=1,where=distributed",
        "--privacy where is distributed: that noise is added under masks",
    ),
    ("epsilon=8,delta=1e-3,clip=1,unit=example", "--privacy noise is missing: of examples"),
    ("epsilon=8,delta=1e-3,clip=1,unit=example,noise=2", "--privacy unit is example: only a device"),
    ("epsilon=8,delta=1e-3,clip=1,unit=example,where=local,noise=2", "--privacy examples is None"),
    ("epsilon=8,delta=1e-3,clip=1,colluders=1.5,where=distributed", "--privacy colluders is 1.5"),
]


def test_bad_privacy_is_one_clear_line(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from selvedge.errors import SelvedgeError
    from selvedge.face.cli import app

    monkeypatch.chdir(place)
    more = [
        (["--rule", "median"], "--privacy is with median: it is a sum"),
        (["--masked", "12"], "--privacy with --masked is central"),
        (["--scaffold"], "--privacy is with scaffold"),
        (["--mode", "buffered"], "--privacy is with buffered"),
    ]
    good = "epsilon=8,delta=1e-3,clip=1"
    for given, said in [*((["--privacy", text], said) for text, said in BAD)] + [
        (["--privacy", good, *others], said) for others, said in more
    ]:
        with pytest.raises(SelvedgeError) as caught:
            app([*SIMULATE, "--out", "run", *given], standalone_mode=False)
        text = str(caught.value)
        assert said in text, (given, text)
        assert "\n" not in text
    assert not (place / "run").exists()


SERVE = (
    "federate", "serve", *SIMULATE[2:], "--rounds", "2", "--per-round", "8", "--device", KIND, "--port", "0"
)  # fmt: skip
LATE = [
    (("--privacy", "epsilon=8,delta=1e-3,clip=1,where=distributed", "--masked", "4"), "--masked bits is 4, for a clip"),
    (("--privacy", "epsilon=8,delta=1e-3,clip=1e4"), "--privacy is clip 10000"),
]


@pytest.mark.parametrize("command", [(*SIMULATE, "--clients", "8", "--device", KIND), SERVE])
@pytest.mark.parametrize(("given", "said"), LATE)
def test_what_a_server_refuses_has_begun_no_folder(
    command: tuple[str, ...], given: tuple[str, ...], said: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the line that is right would be refused in that folder, for a run that never was."""
    from selvedge.errors import SelvedgeError
    from selvedge.face.cli import app

    monkeypatch.chdir(place)
    with pytest.raises(SelvedgeError) as caught:
        app([*command, "--out", "run", *given], standalone_mode=False)
    assert str(caught.value).startswith(said)
    assert not (place / "run").exists()


@pytest.mark.parametrize("given", ["x", "", "epsilon=8,epsilon=9", "delta=1e-3", "epsilon=", "0", "epsilon=8,delta=2"])
def test_a_bad_budget_is_one_clear_line(given: str, tmp_path: Path) -> None:
    from selvedge.errors import InvalidInput
    from selvedge.face.federating.budget import account

    with pytest.raises(InvalidInput, match=r"^--budget") as caught:
        account(Privacy(1.0, 2.0, 8.0, DELTA), tmp_path / "budget.json", given)
    assert "\n" not in str(caught.value)
    assert kept(tmp_path / "budget.json") is None


def test_a_budget_stays_what_its_owner_has_said(tmp_path: Path) -> None:
    from selvedge.face.federating.budget import account

    central, local = Privacy(1.0, 2.0, 8.0, DELTA), Privacy(1.0, 2.0, 8.0, DELTA, where="local")
    assert account(central, tmp_path / "none.json", None) is None
    promised = account(local, tmp_path / "promised.json", None)
    assert promised is not None
    assert promised.budget == local.budget
    own = account(central, tmp_path / "own.json", "3")
    assert own is not None
    assert (own.budget.epsilon, own.budget.delta) == (3.0, DELTA)
    again = account(local, tmp_path / "own.json", None)
    assert again is not None
    assert again.budget == own.budget


def test_a_store_whose_account_lets_more_be_told_than_a_run_promises_takes_no_part_unasked(tmp_path: Path) -> None:
    """Of local noise a server that asks on would be told all that is left of it."""
    from selvedge.errors import InvalidInput
    from selvedge.face.federating.budget import account

    path = tmp_path / "budget.json"
    first = account(Privacy(1.0, 2.0, 7.123456789, DELTA, where="local"), path, None)
    assert first is not None
    before = first.budget
    for epsilon, delta in ((2.0, DELTA), (8.0, 1e-5)):
        less = Privacy(1.0, 8.0, epsilon, delta, where="local")
        with pytest.raises(InvalidInput, match=r"^--budget is kept in --store: of epsilon=7\.123456") as caught:
            account(less, path, None)
        _, _, given = str(caught.value).partition("give --budget ")
        said = account(less, path, given.split()[0])
        assert said is not None
        assert said.budget == before
        assert account(Privacy(1.0, 8.0, epsilon, delta), path, None) is not None, "the server's noise, its account"


@pytest.mark.parametrize(("tasks", "past"), [(2, False), (4, True)])
def test_a_server_that_has_asked_more_than_a_budget_says_that_devices_stop_before(tasks: int, past: bool) -> None:
    """Of local noise it does not know who has answered what."""
    promise = Privacy(1.0, 2.0, 8.0, DELTA, where="local")
    stated = promise.statement(Accountant([(promise.release(), tasks)]))
    assert (stated["epsilon"] > 8) == past
    report = Report("tried", "real", "open", "", 9, 3, Course(), 0, 0, {}, {}, privacy=stated)
    line = next(line for line in str(report).splitlines() if line.startswith("privacy: "))
    assert ("stops before it is past what is promised, unless its owner lets more be told" in line) == past


def test_the_lines_of_the_page_do_what_it_says(place: Path) -> None:
    """Those that need neither another machine nor a server."""
    page = (ROOT / "docs" / "privacy.md").read_text()
    given = page.split("## From the command line")[1].split("```console\n")[1].split("```")[0]
    commands = [line[2:] for line in given.replace("\\\n", "").splitlines() if line.startswith("$ ")]
    shown = [line for line in given.splitlines() if line.startswith("privacy: ")]
    assert len(commands) == 3
    found = []
    for command in commands:
        words = shlex.split(command)[1:]
        ended = run(*words, cwd=place)
        assert ended.code == 0, ended.err
        found += [line for line in ended.out.splitlines() if line.startswith("privacy: ")]
    assert found == shown
