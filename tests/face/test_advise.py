"""``selvedge advise`` as a user runs it: a scenario and a model -> a verdict with its arithmetic, or one line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .command import run

NET = """
import torch
from torch import nn

def make():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, stride=2, padding=1),
                         nn.ReLU(), nn.Flatten(), nn.Linear(8 * 64, 4)), torch.zeros(1, 1, 32, 32)
"""
SCENARIO = """
name = "camera trap"
device = "nrf52840"
model = "net.py:make"
fleet = 20

[data]
samples_per_day = 1440
sample_bytes = 1024

[link]
up_bytes_per_s = "8kbit/s"
down_bytes_per_s = "8kbit/s"
round_trip_s = "100ms"
price_per_mb = 0.5
radio = "ble"

[wants]
latency_s = 1
joules_per_day = "500J"
"""
ON = ("advise", "s.toml")


@pytest.fixture
def user(tmp_path: Path) -> Path:
    (tmp_path / "net.py").write_text(NET)
    (tmp_path / "s.toml").write_text(SCENARIO)
    return tmp_path


def told(*arguments: str, cwd: Path) -> Any:
    result = run(*arguments, "--json", cwd=cwd)
    assert (result.code, result.err) == (0, ""), result
    return json.loads(result.out)


def test_a_scenario_is_a_verdict_a_table_the_arithmetic_and_a_page(user: Path) -> None:
    result = run(*ON, "--plot", "page.html", cwd=user)
    assert (result.code, result.err) == (0, ""), result
    lines = result.out.splitlines()
    assert lines[0] == "camera trap: make on nrf52840, 20 devices" or lines[0].startswith("camera trap: net on")
    assert lines[2].startswith("edge: run it on the device: ")
    assert max(map(len, lines)) <= 100
    assert "  sent up = 1,024 B / 1,000 B/s = 1.024 s" in lines
    assert "  ! latency: needs 1.1" in result.out
    assert any(line.startswith("  bytes up a day = 1,440 x 1,024 B = 1,474,560 B") for line in lines)
    assert "nRF52840 Product Specification" in result.out
    assert "cloud.utilisation = 0.1 (assumption: a tenth)" in result.out
    assert lines[-1] == "drawn in page.html"
    page = (user / "page.html").read_text()
    assert page.count("<figure") == 2
    assert "1,440 x 1,024 B = 1,474,560 B" in page


def test_the_figures_are_data_and_those_of_the_plans(user: Path) -> None:
    found = told(*ON, cwd=user)
    ways = {way["way"]: way for way in found["ways"]}
    assert found["feasible"] is True
    assert found["best"]["way"] == "edge"
    plan = told("plan", "net.py:make", "--device", "nrf52840", "--norms", "folded", cwd=user)
    assert ways["edge"]["run_ram_bytes"] < plan["arena_bytes"]
    assert ways["edge"]["latency_s"] == pytest.approx(plan["programs"]["predict"]["seconds"], rel=0.2)
    # 1,024 B at 1,000 B/s, 0.1 s, the cloud's, 4 B back.
    assert ways["cloud"]["latency_s"] == pytest.approx(1.024 + 0.1 + 0.004, rel=1e-4)
    assert ways["cloud"]["money_per_day"] == pytest.approx(20 * 1440 * (1024 + 4) / 1e6 * 0.5)
    # Behind the second layer and its ReLU cross 8 x 8 x 8 numbers of 4 B.
    assert [way["cut"] for way in found["splits"]] == ["0", "2"]
    assert found["splits"][1]["up_bytes_per_day"] == 1440 * 2048
    assert {row["field"] for row in found["assumptions"]} >= {"cloud.macs_per_s", "data.answer_bytes"}


def test_options_go_before_the_file(user: Path) -> None:
    fast = ("--up", "1MB/s", "--down", "1MB/s", "--round-trip", "1ms", "--prefer", "latency", "--price-per-mb", "0")
    assert told(*ON, *fast, cwd=user)["best"]["way"] == "cloud"
    assert told(*ON, *fast, "--raw", "no", "--features", "no", cwd=user)["best"]["way"] == "edge"
    assert told(*ON, "--set", "cloud.overhead_s=3", cwd=user)["ways"][1]["latency_s"] > 4
    small = told(*ON, "--budget", "ram=4KiB", "--latency", "10s", "--raw", "no", cwd=user)
    assert small["feasible"] is False
    assert small["best"]["binds"] in ("RAM to run", "features leave")


def test_a_model_alone_and_a_battery(user: Path) -> None:
    asked = ("advise", "zoo:ds_cnn", "--device", "nrf52840", "--samples", "100", "--sample-bytes", "16kB", "--up", "0",
             "--down", "0", "--radio", "ble", "--battery", "1000mAh@3.7V", "--life", "365d")  # fmt: skip
    found = told(*asked, cwd=user)
    assert found["best"]["way"] == "edge"
    energy = next(limit for limit in found["best"]["limits"] if limit["name"] == "energy")
    assert energy["have"] == pytest.approx(32.3, rel=0.01)  # what `selvedge plan --battery` says of the same


def test_it_learns_on_the_device_where_the_plan_fits_and_elsewhere_where_not(user: Path) -> None:
    learn = ("--learn", "1", "--learn-samples", "20", "--learn-steps", "50", "--latency", "5s")
    found = told(*ON, *learn, "--raw", "no", "--features", "no", "--updates", "no", cwd=user)
    assert (found["best"]["way"], found["best"]["learning"]) == ("edge", "on the device")
    plan = told("plan", "net.py:make", "--device", "nrf52840", cwd=user)
    assert found["best"]["train_ram_bytes"] == plan["arena_bytes"]
    budget = "ram=22KiB"  # it runs in 12 KiB; what learns needs more than a plan can give for it
    refused = told(*ON, *learn, "--raw", "no", "--features", "no", "--budget", budget, cwd=user)
    assert refused["feasible"] is False
    assert "RAM to train" in refused["verdict"]
    taught = told(*ON, *learn, "--features", "no", "--budget", budget, cwd=user)
    assert (taught["best"]["way"], taught["best"]["learning"]) == ("edge", "in the cloud")


def test_costs_in_the_file_need_no_model(user: Path) -> None:
    text = SCENARIO.replace('model = "net.py:make"\n', "").replace('device = "nrf52840"\n', "")
    given = '[costs]\nram_bytes = "64KiB"\n[costs.run]\nmacs = "1MMAC"\nseconds = "20ms"\njoules = "1mJ"\n'
    cut = '[[costs.cut]]\nname = "c"\nelements = 100\nmacs = 5e5\nseconds = "9ms"\njoules = "0.5mJ"\n'
    (user / "c.toml").write_text(text + given + cut)
    found = told("advise", "c.toml", cwd=user)
    assert found["best"]["way"] == "edge"
    assert found["best"]["latency_s"] == pytest.approx(0.02)
    assert found["splits"][0]["up_bytes_per_day"] == 1440 * 400


@pytest.mark.parametrize(
    ("change", "arguments", "said"),
    [
        ("", ("none.toml",), "scenario is none.toml: give the path of a readable .toml file"),
        ("[dat]\n", (), "key of the scenario is dat: did you mean data?"),
        ('devize = "nrf52840"\n', (), "key of the scenario is devize: did you mean device?"),
        ("fleet = 3\n", (), "scenario is s.toml: mend the TOML"),
        ("", ("--set", "link.rount_trip_s=1"), "field of link is rount_trip_s: did you mean round_trip_s?"),
        ("", ("--set", "nonsense"), "--set is nonsense: write it as link.round_trip_s=50ms"),
        ("", ("--latency", "soon"), "wants.latency_s is soon: give seconds >= 0, as 20ms or 0.02"),
        ("", ("--up", "1Mb"), "link.up_bytes_per_s is 1Mb: give bytes a second"),
        ("", ("--raw", "perhaps"), "privacy.raw_may_leave is perhaps: give yes or no"),
        ("", ("--radio", "smoke"), "link.radio is smoke: give one of lte, wifi, ble, lora"),
        ("", ("--device", "nrf5284"), "device is nrf5284: did you mean nrf52840?"),
        ("", ("zoo:nothing",), "model is nothing: choose one of"),
        ("", ("other.py:make",), "model file is other.py: there is no such file"),
        ("", ("--battery", "1Wh"), "wants.joules_per_day is 500: leave it out"),
        ("", ("--optimizer", "magic"), "--optimizer is magic"),
        ("", ("--norms", "odd"), "norms is odd: give one of frozen, folded, live"),
        ("", ("--plot", "page.txt"), "--plot is page.txt"),
        ("", ("--device", "stm32f746"), "wants.joules_per_day is 500: stm32f746 has no figures of energy"),
    ],
)
def test_what_cannot_be_is_one_line_and_nothing_is_written(
    user: Path, change: str, arguments: tuple[str, ...], said: str
) -> None:
    (user / "s.toml").write_text(change + SCENARIO)
    given = ("advise", *arguments) if arguments[:1] == ("none.toml",) else (*ON, *arguments)
    result = run(*given, cwd=user)
    assert (result.code, result.out) == (2, "")
    assert result.err.count("\n") == 1
    assert result.err.startswith(f"selvedge: {said}"), result.err
    assert {p.name for p in user.iterdir()} <= {"net.py", "s.toml", "__pycache__"}


@pytest.mark.parametrize("text", ["a=" + "[" * 20_000, "fleet=" + "9" * 5000], ids=["brackets", "digits"])
def test_a_file_that_no_one_could_read_is_one_line(user: Path, text: str) -> None:
    (user / "s.toml").write_text(text)
    result = run(*ON, cwd=user)
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert result.err.startswith("selvedge: scenario is s.toml: mend the TOML: ")


def test_a_policy_that_there_is_not_is_one_line_and_no_advice(user: Path) -> None:
    learns = ("--learn", "1", "--learn-samples", "5", "--learn-steps", "5")
    result = run(*ON, *learns, "--update", "nonsense", cwd=user)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("selvedge: update is 'nonsense': give ")


def test_a_decimal_comma_is_not_taken_for_thousands(user: Path) -> None:
    result = run(*ON, "--latency", "1,5s", cwd=user)
    assert result.code == 2
    assert result.err == (
        "selvedge: wants.latency_s is 1,5s: give seconds >= 0, as 20ms or 0.02; decimals stand behind a point\n"
    )


def test_without_a_model_it_says_what_to_give(user: Path) -> None:
    (user / "s.toml").write_text(SCENARIO.replace('model = "net.py:make"\n', ""))
    result = run(*ON, cwd=user)
    assert result.code == 2
    assert result.err.startswith("selvedge: model is missing: give a model")


def test_given_costs_are_weighed_without_torch(user: Path) -> None:
    text = SCENARIO.replace('model = "net.py:make"\n', "")
    (user / "c.toml").write_text(f'{text}[costs.run]\nmacs = "1MMAC"\nseconds = "20ms"\njoules = "1mJ"\n')
    code = "import sys; sys.modules['torch'] = None\nfrom selvedge.face.cli import main\nmain(['advise', 'c.toml'])"
    done = subprocess.run([sys.executable, "-c", code], cwd=user, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "edge: run it on the device: 20 ms" in done.stdout
