"""Timing kernels: lines that are believed, a fit that finds what is there, a machine measured here and over ssh."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import selvedge as sv
from selvedge.device import Work
from selvedge.emitting.c.calls import FAMILIES
from selvedge.errors import InvalidInput
from selvedge.make import calibrate
from selvedge.make.calibrate_fit import Sample, error, fit, nnls
from selvedge.make.calibrate_layers import layers
from selvedge.make.calibrate_report import BadReport, ForeignReport, crc16, fields, parse
from selvedge.planning.work import variant
from tests.face.command import run

LAYERS = 12


# -- the lines --------------------------------------------------------------------------------------------------------


def line(text: str) -> str:
    return f"{text}*{crc16(text.encode()):04x}"


REPORT = [
    line(text)
    for text in (
        "selvedge-calibrate 1 abc 1000000 3 2 3",
        "p 0 100",
        "k 0 0 33",
        "k 0 1 2",
        "p 1 50",
        "k 1 0 43",
        "end 6",
    )
]


def test_a_whole_report_is_read_without_the_clocks_own_cost() -> None:
    report = parse(REPORT, "abc", (2, 1))
    assert report.programs == (1e-4, 5e-5)
    assert report.kernels == ((3e-5, 0.0), (4e-5,))
    assert report.floor == pytest.approx(15e-6)


def test_the_checksum_is_the_published_one() -> None:
    assert crc16(b"123456789") == 0x29B1  # the check value of CRC-16/CCITT-FALSE
    assert fields("k 0 0 33") is None


@pytest.mark.parametrize("at", range(len(REPORT)))
def test_no_damaged_missing_doubled_or_swapped_line_is_believed(at: int) -> None:
    wrong = chr(ord(REPORT[at][0]) ^ 1) + REPORT[at][1:]
    for lines in (
        [*REPORT[:at], wrong, *REPORT[at + 1 :]],
        [*REPORT[:at], *REPORT[at + 1 :]],
        [*REPORT[:at], REPORT[at], *REPORT[at:]],
        [*REPORT[:at], REPORT[(at + 1) % 7], REPORT[at], *REPORT[at + 2 :]],
    ):
        with pytest.raises(BadReport):
            parse(lines, "abc", (2, 1))


def test_another_plans_report_is_not_believed() -> None:
    with pytest.raises(ForeignReport):
        parse(REPORT, "abd", (2, 1))
    with pytest.raises(BadReport):
        parse(REPORT, "abc", (1, 2))


# -- the fit ----------------------------------------------------------------------------------------------------------


def test_non_negative_least_squares_meets_its_optimality_conditions() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        a, b = rng.normal(size=(12, 4)), rng.normal(size=12)
        x = nnls(a, b)
        slope = a.T @ (a @ x - b)
        assert (x >= 0).all()
        assert np.all(slope >= -1e-9)  # nowhere further down
        assert np.all(np.abs(slope[x > 0]) < 1e-9)


def test_the_fit_finds_the_prices_among_outliers() -> None:
    rng = np.random.default_rng(1)
    samples = []
    for i in range(40):
        mac, byte = float(rng.integers(100, 10_000)), float(rng.integers(100, 10_000))
        seconds = (1e-6 + 2e-9 * mac + 3e-10 * byte) * (4.0 if i % 10 == 0 else 1.0)
        samples.append(
            Sample(Work("conv2d", "float32", 1, {}, {"call": 1.0, "mac": mac, "byte": byte}), seconds, False)
        )
    (found,) = fit(samples, 1e-8)
    assert found.seconds["mac"] == pytest.approx(2e-9, rel=0.02)
    assert found.seconds["byte"] == pytest.approx(3e-10, rel=0.1)
    assert error([found], samples).median < 0.01


def test_kernels_too_short_for_the_clock_are_not_judged() -> None:
    short = Sample(Work("loop", "float32", 0, {}, {"call": 1.0}), 0.0, True)
    assert error(fit([short], 1e-7), [short]).kernels == 0


# -- the layers -------------------------------------------------------------------------------------------------------


def test_every_kernel_family_is_timed_and_held_out() -> None:
    timed = calibrate.prepared(sv.Device(ram="64MiB", flash="1GiB", vector_bytes=32))
    for held_out in (False, True):
        programs = [
            p for p, x in zip(timed.arrangement.programs.values(), timed.layers, strict=True) if x.held_out is held_out
        ]
        seen = {k.family for p in programs for k in p.kernels.values()}
        assert set(FAMILIES) - seen <= {"copy"}  # only where an update cannot be made in place
        variants = {variant(k) for p in programs for k in p.kernels.values()}
        assert {"reduce_rows", "reduce_columns", "loop_libm", "conv2d_input_grad_dots"} <= variants


@pytest.mark.parametrize("ram", [24, 48, 120, 1024])
def test_the_layers_fit_the_device_they_are_for(ram: int) -> None:
    device = sv.Device(ram=ram * 1024, flash="16MiB")
    timed = calibrate.prepared(device)
    assert timed.arrangement.memory.arena <= device.ram
    assert timed.program == calibrate.prepared(device).program
    assert any(x.held_out for x in timed.layers)


def test_a_device_too_small_for_any_layer_is_refused() -> None:
    assert not layers(512)
    with pytest.raises(InvalidInput, match="too small"):
        calibrate.prepared(sv.Device(ram="3KiB", flash="64KiB"))


# -- here, and over ssh -----------------------------------------------------------------------------------------------


def test_this_machine_is_measured_and_planned_with(tmp_path: Path) -> None:
    arguments = ("--layers", str(LAYERS), "--no-models", "--out", "here.toml", "--json")
    done = run("devices", "measure", *arguments, cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    result = json.loads(done.out)
    assert result["kernels"] > 50
    device = sv.Device.load(tmp_path / "here.toml")
    basis = device.basis("times")
    assert basis is not None
    assert (basis.kind, basis.where) == ("measured", "this machine")
    assert run("devices", "validate", "here.toml", cwd=tmp_path).code == 0
    plan = run("plan", "zoo:ds_cnn", "--device", "here.toml", "--json", cwd=tmp_path)
    assert json.loads(plan.out)["seconds_per_step"] > 0


def needs(program: str) -> str:
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if found is None and os.environ.get("SELVEDGE_REQUIRE_ALL"):
        pytest.fail(f"{program} is missing and SELVEDGE_REQUIRE_ALL is set")
    if found is None:
        pytest.skip(f"{program} is not installed")
    return found


@pytest.fixture
def ssh_config(tmp_path: Path) -> Iterator[Path]:
    """A real sshd on the loopback, and an ssh configuration that knows it as "board"."""
    server, keygen = needs("sshd"), needs("ssh-keygen")
    needs("ssh")
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o700)
    for name in ("host", "user"):
        subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(keys / name)], check=True)
    shutil.copy(keys / "user.pub", keys / "authorized")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = {
        "Port": port, "ListenAddress": "127.0.0.1", "HostKey": keys / "host", "AuthorizedKeysFile": keys / "authorized",
        "PidFile": "none", "StrictModes": "no", "UsePAM": "no", "PasswordAuthentication": "no",
        "PermitRootLogin": "prohibit-password",
    }  # fmt: skip
    (tmp_path / "sshd").write_text("".join(f"{k} {v}\n" for k, v in options.items()))
    host = keys / "host.pub"
    (keys / "known").write_text(f"[127.0.0.1]:{port} {host.read_text()}")
    config = tmp_path / "config"
    config.write_text(
        f"Host board\n  HostName 127.0.0.1\n  Port {port}\n  User {getpass.getuser()}\n"
        f"  IdentityFile {keys / 'user'}\n  IdentitiesOnly yes\n  UserKnownHostsFile {keys / 'known'}\n"
    )
    if os.geteuid() == 0:
        os.makedirs("/run/sshd", exist_ok=True)  # where sshd puts its unprivileged half
    with subprocess.Popen([server, "-D", "-f", str(tmp_path / "sshd")], stderr=subprocess.DEVNULL) as running:
        try:
            for _ in range(100):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            yield config
        finally:
            running.terminate()


def test_a_linux_board_is_measured_over_ssh_and_left_clean(ssh_config: Path, tmp_path: Path) -> None:
    board = tmp_path / "board.toml"
    board.write_text(
        'ram = "1MiB"\nflash = "16MiB"\nvector_bytes = 16\n[toolchain]\ncompiler = ["cc"]\n'
        '[[sources]]\nfigures = ["ram"]\nkind = "estimate"\nsays = "enough"\n'
    )
    arguments = ("--device", "board.toml", "--ssh", "board", "--ssh-config", str(ssh_config), "--layers", str(LAYERS))
    before = set(Path("/tmp").glob("tmp.*"))
    done = run("devices", "measure", *arguments, "--no-models", "--json", cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    device = sv.Device.load(tmp_path / "board-measured.toml")
    basis = device.basis("times")
    assert basis is not None
    assert (basis.kind, basis.where) == ("measured", "ssh board")
    assert device.ram == 1 << 20
    assert {p for p in set(Path("/tmp").glob("tmp.*")) - before if (p / "p").exists()} == set()


def test_a_host_that_does_not_let_us_in_is_one_line(ssh_config: Path, tmp_path: Path) -> None:
    (ssh_config.parent / "keys" / "authorized").write_text("")
    arguments = ("--device", "raspberry-pi-4", "--ssh", "board", "--ssh-config", str(ssh_config), "--layers", "4")
    done = run("devices", "measure", *arguments, cwd=tmp_path)
    assert done.code == 2
    assert done.err.count("\n") == 1
    assert "ssh is board: cannot log in" in done.err
    assert not list(tmp_path.glob("*measured*"))


# -- the command ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--ssh", "board"), "--device is this-machine"),
        (("--serial", "/dev/absent"), "--device is this-machine"),
        (("--device", "nrf52832", "--serial", "/dev/absent"), "serial port is /dev/absent: cannot open it"),
        (("--device", "nrf52832", "--serial", "/dev/null", "--baud", "7"), "baud is 7"),
        (("--device", "nrf52832", "--serial", "/dev/null"), "serial port is /dev/null: it is no terminal"),
        (("--device", "nrf52832", "--serial", "/dev/null", "--ssh", "board"), "choose one of --ssh and --serial"),
        (("--layers", "1"), "--layers is 1"),
        (("--device", "nrf52832", "--name", "a b", "--emit", "x"), "--name is a b"),
        (("--device", "nrf52832", "--serial", "/dev/null", "--out", "x.txt"), "--out is x.txt"),
    ],
)
def test_a_wish_that_cannot_be_granted_is_one_line(arguments: tuple[str, ...], told: str, tmp_path: Path) -> None:
    done = run("devices", "measure", *arguments, cwd=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert told in done.err
    assert done.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_the_timing_program_is_written_whole_and_only_over_its_own(tmp_path: Path) -> None:
    done = run("devices", "measure", "--device", "nrf52832", "--emit", "program", cwd=tmp_path)
    assert done.code == 0
    names = {p.name for p in (tmp_path / "program").iterdir()}
    assert {"layers.c", "layers.h", "calibrate.c", "port_cortex_m.c", "README.txt", "manifest.json"} <= names
    assert run("devices", "measure", "--device", "nrf52832", "--emit", "program", cwd=tmp_path).code == 0
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary.txt").write_text("mine")
    refused = run("devices", "measure", "--device", "nrf52832", "--emit", "mine", cwd=tmp_path)
    assert refused.code == 2
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["diary.txt"]


def test_a_bad_profile_is_told_everything_at_once(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text('ram = "64K"\nclock_hz = "fast"\n[bandwidth]\nsram = 1\n')
    done = run("devices", "validate", "bad.toml", cwd=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert len(done.err.splitlines()) == 4
    for words in (
        "device ram is 64K",
        "device flash is missing",
        "device clock_hz is fast",
        "device bandwidth is sram",
    ):
        assert words in done.err
    judged = run("devices", "validate", "bad.toml", "--json", cwd=tmp_path)
    assert judged.code == 2
    assert len(json.loads(judged.out)["problems"]) == 4
    (tmp_path / "good.toml").write_text('ram = "64KiB"\nflash = "1MiB"\nclock_hz = 1e6\n[throughput]\nfloat32 = 1e9\n')
    doubted = run("devices", "validate", "good.toml", cwd=tmp_path)
    assert (doubted.code, doubted.err) == (0, "")
    warning, sound, without, unsure = doubted.out.splitlines()
    assert warning.startswith("warning: throughput.float32 is 1e+09: more than clock x 1 lanes x 2")
    assert sound == "good.toml is a sound profile; 1 warning"
    assert without.startswith("what is absent is not planned: without bandwidth.ram, bandwidth.flash no seconds; ")
    assert "without [energy] no joules" in without
    assert unsure.startswith("no [[sources]] entry says where ram, flash, clock_hz and 2 more come from: ")
    data = json.loads(run("devices", "validate", "good.toml", "--json", cwd=tmp_path).out)
    assert [doubt["field"] for doubt in data["doubts"]] == ["throughput.float32"]
    assert len(data["unsourced"]) == 5
    assert len(data["absent"]) == 3
