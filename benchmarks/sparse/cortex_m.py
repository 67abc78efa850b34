"""Kernels of a plan on an emulated Cortex-M4: instructions, not cycles, which nobody here can measure."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from benchmarks.peers.contestant import Missing
from selvedge.artifact.native import native_port
from selvedge.device import Device
from selvedge.make import calibrate_run
from selvedge.make.calibrate_program import Timeable
from selvedge.make.calibrate_report import Report

FIRMWARE = Path(__file__).parents[2] / "tests" / "firmware"
PATIENCE = 120.0  # seconds


def report(program: Timeable, device: Device) -> Report:
    """Of QEMU's mps2-an386 with a nanosecond an instruction. Raises :class:`Missing` without the tools."""
    chain = device.toolchain
    assert chain is not None
    for tool in (chain.compiler[0], "qemu-system-arm"):
        if shutil.which(tool) is None:
            raise Missing(f"no {tool}")
    with tempfile.TemporaryDirectory(prefix="selvedge-") as name:
        folder = Path(name)
        for file, text in {**program.sources, "port_cortex_m.c": native_port("cortex_m")}.items():
            (folder / file).write_text(text)
        units = [FIRMWARE / "start.c", *(folder / u for u in (f"{program.name}.c", "calibrate.c", "port_cortex_m.c"))]
        flags = [*chain.flags, "-std=c99", "-O2", "-ffp-contract=fast", "-DSELVEDGE_CHECK", f"-I{folder}"]
        own = ["-nostartfiles", "-specs=rdimon.specs", "-T", str(FIRMWARE / "link.ld"), "-lm"]
        image = folder / "image.elf"
        command = [*chain.compiler, *flags, *map(str, units), *own, "-o", str(image)]
        subprocess.run(command, check=True, capture_output=True, text=True)
        emulator = [
            "qemu-system-arm", "-M", "mps2-an386", "-icount", "shift=0", "-display", "none", "-monitor", "none",
            "-serial", "pty", "-semihosting-config", "enable=on,target=native", "-kernel", str(image),
        ]  # fmt: skip
        with subprocess.Popen(emulator, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
            assert running.stdout is not None
            try:
                found = re.search(r"/dev/pts/\d+", running.stdout.readline())
                assert found is not None
                return calibrate_run.over_serial(program, found[0], 115200, PATIENCE, lambda done, of: None)
            finally:
                running.kill()
