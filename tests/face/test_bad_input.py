"""Whatever a user gets wrong: one line that names field, value and fix; exit code 2; nothing left behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import selvedge as sv
from selvedge.artifact.toolchain import NoCompiler, find_compiler

from .command import Result, fresh, main, run

NET = Path(__file__).with_name("net.py")
DEVICE = ("--device", "stm32f746")
NET_ON = ("plan", "net.py:net", "--input", "1x4", *DEVICE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A user's directory: models, and files that are not what they are called."""
    shutil.copy(NET, tmp_path)
    (tmp_path / "broken.py").write_text("import nowhere_to_be_found\n")
    (tmp_path / "wrong.py").write_text("def net(:\n")
    (tmp_path / "bad.pt2").write_text("not an archive")
    torch.save({"a": 1}, tmp_path / "weights.pt2")
    (tmp_path / "bad.toml").write_text("ram = ")
    (tmp_path / "odd.toml").write_text('ram = "64KiB"\nflash = "1MiB"\ncolour = 3\n')
    (tmp_path / "latin.toml").write_bytes('name = "größe"'.encode("latin-1"))
    (tmp_path / "small.toml").write_text('ram = "64KiB"\nflash = "1MiB"\n')
    (tmp_path / "rate.toml").write_text('ram = "64KiB"\nflash = "1MiB"\n[throughput]\nfloat33 = 1e6\n')
    return tmp_path


def files(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if "__pycache__" not in p.parts}


def line_of(code: str) -> str:
    """``net.py:LINE: code`` as the refusal writes it."""
    number = next(i for i, line in enumerate(NET.read_text().splitlines(), 1) if line.strip() == code)
    return f"net.py:{number}: {code}"


def assert_one_line(result: Result, *parts: str, code: int = 2) -> None:
    assert (result.code, result.out) == (code, ""), result
    lines = result.err.splitlines()
    assert len(lines) == 1, result.err
    assert lines[0].startswith("selvedge: "), result.err
    assert "Traceback" not in lines[0]
    assert "a fault in selvedge" not in lines[0]
    for part in parts:
        assert part in lines[0], (part, result.err)


CASES: list[tuple[tuple[str, ...], tuple[str, ...]]] = [
    # the device
    (("plan", "zoo:resnet8", "--device", "stm32"), ("device is stm32", "nrf52832", ".toml")),
    (("plan", "zoo:resnet8", "--device", "no.toml"), ("device is no.toml", "readable")),
    (("plan", "zoo:resnet8", "--device", "bad.toml"), ("device is bad.toml", "mend the TOML")),
    (("plan", "zoo:resnet8", "--device", "odd.toml"), ("odd.toml is colour", "choose one of")),
    (("plan", "zoo:resnet8", "--device", "latin.toml"), ("device is latin.toml", "UTF-8")),
    (("plan", "zoo:resnet8", "--device", "rate.toml"), ("device throughput is float33", "float32")),
    (("devices", "stm32"), ("device is stm32", "nrf52832")),
    (("devices", "measure", "--device", "small.toml"), ("--device is small.toml", "64 KiB of RAM", "--serial PORT")),
    (("devices", "measure", "--out", "profile"), ("--out is profile", "name a .toml file")),
    # the model
    (("plan", "resnet8", *DEVICE), ("model is resnet8", "zoo:NAME", ".pt2")),
    (("plan", "", *DEVICE), ("model is empty", "zoo:NAME")),
    (("plan", "net.py", *DEVICE), ("model is net.py", "as net.py:make")),
    (("plan", "net.pth", *DEVICE), ("model is net.pth", "weights alone are no model")),
    (("plan", "zoo:", *DEVICE), ("model is empty", "resnet8")),
    (("plan", "zoo:resnet9", *DEVICE), ("model is resnet9", "resnet8")),
    (("plan", "zoo:resnet8?depth=2", *DEVICE), ("resnet8 option is depth", "classes")),
    (("plan", "zoo:resnet8?classes=some", *DEVICE), ("classes is some", "int from 2")),
    (("plan", "zoo:resnet8?", *DEVICE), ("resnet8?", "key=value")),
    (("plan", "zoo:mobilenet_v2?resolution=100000000", *DEVICE), ("resolution is 100000000", "int from 1 to 8192")),
    (("plan", "no.py:net", *DEVICE), ("no.py", "there is no such file")),
    (("plan", "broken.py:net", *DEVICE), ("nowhere_to_be_found' at broken.py:1: import nowhere_to_be_found",)),
    (("plan", "wrong.py:net", *DEVICE), ("wrong.py", "SyntaxError")),
    (("plan", "net.py:missing", *DEVICE), ("factory is missing", "paired")),
    (
        ("plan", "net.py:raising", *DEVICE),
        (
            "factory is raising",
            "RuntimeError: no weights here at " + line_of(r'raise RuntimeError("no weights\nhere")'),
        ),
    ),
    (("plan", "net.py:asking", *DEVICE), ("factory is asking", "missing 1 required positional argument: 'width'")),
    (("plan", "net.py:leaving", *DEVICE), ("factory is leaving", "SystemExit: goodbye")),
    (("plan", "net.py:number", *DEVICE), ("factory is number", "nn.Module", "int")),
    (("plan", "net.py:listing", *DEVICE), ("factory is listing", "a tensor or a tuple of tensors")),
    (("plan", "no.pt2", *DEVICE), ("no.pt2", "there is no such file")),
    (("plan", "bad.pt2", *DEVICE), ("bad.pt2", "torch.export.save")),
    (("plan", "weights.pt2", *DEVICE), ("weights.pt2", "torch.export.save")),
    (("plan", "net.py:without_parameters", *DEVICE), ("update is 'full'", "requires_grad")),
    # what capture refuses
    (
        ("plan", "net.py:sorting", "--input", "1x4", *DEVICE),
        ("aten.sort.default is not supported", line_of("return torch.sort(self.head(x), 1)[0]")),
    ),
    (
        ("plan", "net.py:transforming", "--input", "1x4", *DEVICE),
        ("aten.fft_fft.default is not supported", line_of("return self.head(torch.fft.fft(x).abs())")),
    ),
    (
        ("plan", "net.py:branching", "--input", "1x4", *DEVICE),
        ("data-dependent control flow", line_of("if x.sum() > 0:"), "torch.where"),
    ),
    (
        ("plan", "net.py:net", "--input", "1x5", *DEVICE),
        ("example is of shape [1, 5]", line_of("return self.head(x)"), "Linear, the first layer, takes [batch, 4]"),
    ),
    # the example
    (("plan", "net.py:net", *DEVICE), ("--input is missing", "1x3x32x32")),
    (("plan", "net.py:net", "--input", "4,4", *DEVICE), ("--input is 4,4", "1x3x32x32")),
    (("plan", "net.py:net", "--input", "0x4", *DEVICE), ("--input is 0x4", "1x3x32x32")),
    (("plan", "net.py:net", "--input", "99999999999999x4", *DEVICE), ("--input is 9999", "smaller")),
    (("plan", "net.py:net", "--input", "99999999999999999999x4", *DEVICE), ("--input is 9999", "smaller")),
    (("plan", "zoo:resnet8", "--input", "1x3x9x9", *DEVICE), ("--input is 1x3x9x9", "leave it out")),
    ((*NET_ON, "--batch", "0"), ("batch is 0", ">= 1")),
    ((*NET_ON, "--batch", "-2"), ("batch is -2", ">= 1")),
    ((*NET_ON, "--batch", "two"), ("--batch", "'two'", "integer")),
    ((*NET_ON, "--batch", "1000000000000"), ("batch is 1000000000000", "fewer samples")),
    # the budget
    ((*NET_ON, "--budget", "ram=16B"), ("RAM does not fit: needs ", ", has 16 B", "B of RAM with update bias")),
    ((*NET_ON, "--budget", "ram=16B", "--update", "auto"), ("RAM does not fit: needs ", ", has 16 B", "B of RAM")),
    ((*NET_ON, "--budget", "ram"), ("budget is ram", "ram=64KiB")),
    ((*NET_ON, "--budget", ""), ("budget is empty", "ram=64KiB")),
    ((*NET_ON, "--budget", "ram=64K"), ("budget ram is 64K", "64KiB")),
    ((*NET_ON, "--budget", "disk=1MiB"), ("budget is disk=1MiB", "flash")),
    ((*NET_ON, "--budget", "ram=1KiB,ram=2KiB"), ("budget is ram=2KiB", "once")),
    ((*NET_ON, "--budget", "ram=1GiB"), ("budget ram is 1GiB", "the device leaves 312 KiB")),
    ((*NET_ON, "--budget", "flash=16B", "--update", "bias"), ("flash does not fit", "has 16 B")),
    ((*NET_ON, "--budget", "latency=1ns"), ("budget latency is 1e-09 s", "on stm32f746", "update less")),
    ((*NET_ON, "--budget", "latency=1ns", "--update", "auto"), ("budget latency is 1e-09 s", "update less")),
    ((*NET_ON, "--budget", "energy=1nJ"), ("budget energy is 1e-09 J", "no figures")),
    # names
    ((*NET_ON, "--loss", "hubert"), ("--loss is hubert", "cross_entropy")),
    ((*NET_ON, "--optimizer", "lion"), ("--optimizer is lion", "sgd, adam, rmsprop")),
    ((*NET_ON, "--optimizer", "sgd:speed=1"), ("speed=1", "momentum")),
    ((*NET_ON, "--optimizer", "sgd:lr=fast"), ("--optimizer lr is fast", "finite number")),
    ((*NET_ON, "--optimizer", "sgd:lr=inf"), ("--optimizer lr is inf", "finite number")),
    ((*NET_ON, "--optimizer", "sgd:lr=0.1/0.2"), ("--optimizer lr is 0.1/0.2", "finite number")),
    ((*NET_ON, "--optimizer", "sgd:lr=true"), ("--optimizer lr is true", "finite number")),
    ((*NET_ON, "--optimizer", "sgd:lr=1,lr=2"), ("lr=2", "once")),
    ((*NET_ON, "--optimizer", "adam:state=int4"), ("Adam state_dtype is int4", "bfloat16, int8")),
    ((*NET_ON, "--optimizer", "sgd:state=int8"), ("SGD state_dtype is int8", "without momentum")),
    ((*NET_ON, "--optimizer", "sgd:clip_norm=1,clip_value=1"), ("clip_norm is 1.0", "not both")),
    ((*NET_ON, "--accumulate", "0"), ("accumulate is 0", ">= 1")),
    ((*NET_ON, "--batch", "6", "--accumulate", "4"), ("accumulate is 4", "the batch of 6")),
    ((*NET_ON, "--optimizer", "sgd:lr=-1"), ("--optimizer lr is -1", ">= 0")),
    ((*NET_ON, "--optimizer", "sgd:nesterov=1"), ("--optimizer nesterov is 1", "true or false")),
    ((*NET_ON, "--optimizer", "sgd:nesterov=true"), ("SGD nesterov is True", "momentum > 0")),
    ((*NET_ON, "--optimizer", "adam:betas=0.9"), ("--optimizer betas is 0.9", "0.9/0.999")),
    ((*NET_ON, "--update", "most"), ("update is 'most'", "head.weight")),
    ((*NET_ON, "--update", "last:2"), ("update is 'last:2'", '"last:1"')),
    ((*NET_ON, "--update", ""), ("update is ''", "head.weight")),
    ((*NET_ON, "--norms", "alive"), ("--norms is alive", "frozen, folded")),
    # where to write
    ((*NET_ON, "--out", "net.py"), ("net.py", "it is a file: name a directory")),
    ((*NET_ON, "--out", "net.py/made"), ("net.py/made", "cannot write there", "name another place")),
    ((*NET_ON, "--out", "."), ("output directory is", "it holds other files")),
    ((*NET_ON, "--out", "/proc/made"), ("/proc/made", "cannot write there", "name another place")),
    # the command line itself
    (("plan",), ("Missing argument 'MODEL'",)),
    (("fly",), ("No such command 'fly'",)),
    ((*NET_ON, "--input", ""), ("--input is empty", "1x3x32x32")),
    ((*NET_ON, "--colour"), ("No such option '--colour'",)),
    ((*NET_ON, "--seed", "x"), ("--seed", "'x'")),
]


@pytest.mark.parametrize(("arguments", "parts"), CASES, ids=lambda v: "_".join(v)[-60:].replace("/", "%"))
def test_bad_input_is_one_line_and_leaves_nothing(
    folder: Path, arguments: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    before = files(folder)
    out = () if "--out" in arguments or arguments[0] != "plan" else ("--out", "made")
    assert_one_line(run(*arguments, *out, cwd=folder), *parts)
    assert files(folder) == before


@pytest.mark.parametrize("arguments", [("plan", "--inptu", "1x4"), ("plan",), ("fly",)], ids=" ".join)
def test_a_fault_in_the_line_itself_is_data_too(folder: Path, arguments: tuple[str, ...]) -> None:
    result = run(*arguments, "--json", cwd=folder)
    assert result.code == 2
    told = json.loads(result.out)["error"]
    assert told["kind"] == "UsageError"
    assert result.err == f"selvedge: {told['message']}\n"


def test_a_misspelt_command_is_corrected_once(folder: Path) -> None:
    result = run("plann", cwd=folder)
    assert_one_line(result, "No such command 'plann'")
    assert result.err.count("Did you mean 'plan'?") == 1


def test_a_module_serves_where_a_function_would(folder: Path) -> None:
    (folder / "ready.py").write_text("from net import Net\n\nready = Net()\n")
    given = json.loads(run("plan", "ready.py:ready", "--input", "1x4", *DEVICE, "--json", cwd=folder).out)
    assert (given["model"], given["updated"]) == ("ready", ["head.weight", "head.bias"])


def test_an_interrupt_while_the_command_line_is_imported_is_one_line(folder: Path) -> None:
    early = (
        "import sys\n"
        "class Early:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'typer': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Early())\n"
        "from selvedge.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", early], cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "selvedge: interrupted\n")


def test_a_refusal_is_data_too(folder: Path) -> None:
    result = run(*NET_ON, "--budget", "ram=16B", "--json", cwd=folder)
    error = json.loads(result.out)["error"]
    assert result.code == 2
    assert set(error) == {"kind", "message", "resource", "need", "have", "cheapest_change", "changes"}
    assert (error["kind"], error["have"]) == ("DoesNotFit", 16)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--seed", "9" * 23), "--seed"),
        (("--device", ""), "device is "),
        (("--loss", ""), "--loss is empty"),
        (("--name", ""), "name is "),
        (("--out", "a" * 300), "too long"),
        (("--out", "/dev/null"), "it is a file"),
    ],
)
def test_what_is_empty_or_too_long_is_refused(folder: Path, arguments: tuple[str, str], says: str) -> None:
    before = files(folder)
    assert_one_line(run("plan", "net.py:net", "--input", "1x4", *arguments, cwd=folder), says)
    for model in ("a" * 300 + ".pt2", "a" * 300 + ".py:net"):
        assert_one_line(run("plan", model, cwd=folder), "too long")
    assert files(folder) == before


def test_the_same_from_a_fresh_interpreter(folder: Path) -> None:
    """Nothing that torch writes while it is imported, or traces, gets between."""
    before = files(folder)
    assert_one_line(
        fresh("plan", "net.py:branching", "--input", "1x4", *DEVICE, "--out", "made", cwd=folder),
        line_of("if x.sum() > 0:"),
    )
    assert_one_line(fresh("plan", "net.py:net", "--input", "1x5", *DEVICE, cwd=folder), "[1, 5]")
    assert files(folder) == before


def test_a_full_device_leaves_nothing(folder: Path) -> None:
    """Here the disk ends after 4 KiB of a file: the artifact's larger files cannot be whole."""
    before = files(folder)
    result = run(*NET_ON, "--out", "made", cwd=folder, largest_file=4 << 10)
    assert_one_line(result, "made", "cannot write there (File too large)", "name another place")
    assert files(folder) == before


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a file system")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_directory_leaves_nothing(folder: Path, small_disk: Path) -> None:
    result = run(*NET_ON, "--out", str(small_disk / "made"), cwd=folder)
    assert_one_line(result, "disk/made", "cannot write there (No space left on device)", "name another place")
    assert files(small_disk) == set()


def test_an_earlier_artifact_survives_a_failed_one(folder: Path) -> None:
    assert run(*NET_ON, "--out", "made", cwd=folder).code == 0
    before = {p.name: p.read_bytes() for p in (folder / "made").iterdir()}
    result = run(*NET_ON, "--update", "bias", "--out", "made", cwd=folder, largest_file=4 << 10)
    assert_one_line(result, "cannot write there")
    assert {p.name: p.read_bytes() for p in (folder / "made").iterdir()} == before


def test_output_to_a_full_device_is_said(folder: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "selvedge", "devices"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert_one_line(Result(done.returncode, "", done.stderr), "the disk is full", "write elsewhere")


def test_a_reader_who_leaves_early_is_no_error() -> None:
    command = f"{sys.executable} -m selvedge devices --json | head -c 1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "[", "")


@pytest.mark.parametrize("arguments", [("-h",), ("plan", "-h"), ("operators",), ("--version",)], ids=" ".join)
def test_a_reader_who_never_reads_is_no_error(arguments: tuple[str, ...]) -> None:
    """Click ends with 1 where its own output meets a closed pipe."""
    theirs, ours = os.pipe()
    os.close(theirs)
    done = subprocess.run(
        [sys.executable, "-m", "selvedge", *arguments], stdout=ours, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(ours)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_interrupt_is_one_line_and_leaves_nothing(folder: Path) -> None:
    before = files(folder)
    arguments = ["plan", "net.py:deep", "--input", "1x8", "--device", "raspberry-pi-zero-2w", "--out", "made"]
    with subprocess.Popen(
        [sys.executable, "-m", "selvedge", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "forward is traced\n"  # it is in the middle
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert_one_line(Result(process.returncode, out, err), "interrupted", code=130)
    assert files(folder) == before


def test_without_a_compiler_the_refusal_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S -I "$@"\n')  # without site-packages, so without ziglang
    bare.chmod(0o755)
    with pytest.raises(NoCompiler) as error:
        find_compiler(path="", python=str(bare))
    assert str(error.value).startswith(
        "C compiler: none of cc, gcc, clang runs here: install one (Debian: apt install gcc)"
    )

    monkeypatch.setattr("selvedge.run.build.find_compiler", lambda: find_compiler(path="", python=str(bare)))
    plan = sv.plan(torch.nn.Linear(4, 3), torch.randn(1, 4), device="stm32f746")
    with pytest.raises(NoCompiler):
        sv.compile(plan, cache=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()

    # Planning needs none, not even for this machine.
    monkeypatch.setattr("selvedge.device.measure.this_machine.__defaults__", (lambda: find_compiler("", str(bare)),))
    monkeypatch.chdir(NET.parent)
    with pytest.raises(SystemExit) as stop:
        main(["plan", "net.py:net", "--input", "1x4"])
    assert stop.value.code == 0
    assert "net on this-machine" in capsys.readouterr().out
