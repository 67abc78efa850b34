"""The timing program on an emulated Cortex-M4, heard on its UART, which is a pseudo-terminal here."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import selvedge as sv
from selvedge.make import calibrate, calibrate_run
from selvedge.make.calibrate_report import BadReport
from tests.face.command import run

from .test_qemu import HERE, WARNINGS, execute, needs

LAYERS = 20
pytestmark = pytest.mark.qemu


@pytest.fixture(scope="module")
def timed() -> calibrate.Timed:
    return calibrate.prepared(sv.Device.load("stm32f446"), LAYERS)


@pytest.fixture(scope="module")
def image(timed: calibrate.Timed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What --emit wrote, compiled as strictly as the rest and linked for the chip's memory."""
    folder = calibrate.emit(timed, tmp_path_factory.mktemp("calibrate") / "program")
    chain = timed.device.toolchain
    assert chain is not None
    compiler = needs(chain.compiler[0])
    image = folder.parent / "image.elf"
    units = [folder / name for name in ("layers.c", "calibrate.c", "port_cortex_m.c")]
    flags = [*WARNINGS, *chain.flags, "-DSELVEDGE_CHECK", f"-I{folder}"]
    own = ["-nostartfiles", "-specs=rdimon.specs", "-T", HERE / "link.ld", "-lm"]
    execute(compiler, *flags, HERE / "start.c", *units, *own, "-o", image)
    return image


@pytest.fixture
def port(image: Path) -> Iterator[str]:
    """The pseudo-terminal on which the running board's UART is."""
    command = [
        needs("qemu-system-arm"), "-M", "mps2-an386", "-icount", "shift=0", "-display", "none", "-monitor", "none",
        "-serial", "pty", "-semihosting-config", "enable=on,target=native", "-kernel", str(image),
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as emulator:
        assert emulator.stdout is not None
        try:
            found = re.search(r"/dev/pts/\d+", emulator.stdout.readline())
            assert found is not None
            yield found[0]
        finally:
            emulator.kill()


def test_a_microcontroller_is_measured_over_its_serial_port(port: str, tmp_path: Path) -> None:
    out = tmp_path / "board.toml"
    arguments = ("--device", "stm32f446", "--serial", port, "--layers", str(LAYERS), "--out", str(out), "--json")
    done = run("devices", "measure", *arguments, cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    result = json.loads(done.out)
    assert result["kernels"] > 80
    assert result["held_out"]["kernels"] > 10
    assert result["held_out"]["median"] < 0.2  # instructions are counted, so that this is the same every time
    board = sv.Device.load(out)
    assert board.name == "stm32f446-measured"
    basis = board.basis("times")
    assert basis is not None
    assert (basis.kind, basis.where) == ("measured", f"serial {port}")
    assert board.basis("ram") == sv.Device.load("stm32f446").basis("ram")
    assert {"conv2d", "depthwise", "conv2d_weight_grad", "loop"} <= {t.family for t in board.times}


def test_a_board_flashed_with_another_plan_is_not_believed(port: str) -> None:
    other = calibrate.prepared(sv.Device.load("stm32f446"), LAYERS - 1)
    with pytest.raises(BadReport, match=r"of plan .*, not of"):
        calibrate_run.over_serial(other.program, port, 115200, 20, lambda done, of: None)


def test_a_silent_port_is_waited_for_and_then_named(timed: calibrate.Timed) -> None:
    ours, theirs = os.openpty()
    try:
        with pytest.raises(BadReport, match="no report came from /dev/pts"):
            calibrate_run.over_serial(timed.program, os.ttyname(theirs), 115200, 0.2, lambda done, of: None)
    finally:
        os.close(ours)
        os.close(theirs)
