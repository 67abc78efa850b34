"""On an emulated Cortex-M4, whose double is software: the same drifts, the same last bits."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from selvedge.learn.c import FOLDER
from selvedge.learn.drift.registry import detector
from tests.required import missing

HERE, FIRMWARE = Path(__file__).parent, Path(__file__).parents[2] / "firmware"
FLAGS = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wdouble-promotion", "-Werror", "-O2", "-ffp-contract=off"]
M4 = ["-mthumb", "-mcpu=cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16", "-nostartfiles", "-specs=rdimon.specs"]

pytestmark = pytest.mark.qemu


def needs(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        missing(program)
    return found


def test_a_microcontroller_finds_the_same(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    stream = np.concatenate([rng.normal(level, 0.5, 700) for level in (0.5, 1.5, 0.2, 2.0)]).tolist()
    numbers = ", ".join(value.hex() for value in stream)
    (tmp_path / "stream.h").write_text(f"#define N {len(stream)}\nstatic const double stream[N] = {{{numbers}}};\n")
    image = tmp_path / "image.elf"
    sources = [FIRMWARE / "start.c", HERE / "device.c", "-T", FIRMWARE / "link.ld", "-lm", "-o", image]
    compiler = [needs("arm-none-eabi-gcc"), *FLAGS, *M4, f"-I{FOLDER}", f"-I{tmp_path}", *map(str, sources)]
    emulator = [needs("qemu-system-arm"), "-M", "mps2-an386", "-nographic", "-monitor", "none", "-serial", "none"]
    emulator += ["-semihosting-config", "enable=on,target=native", "-kernel", str(image)]
    done = subprocess.run(compiler, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    done = subprocess.run(emulator, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr

    wanted, ours = [], {name: detector(name) for name in ("page-hinkley:threshold=10", "adwin", "ddm")}
    for i, value in enumerate(stream):
        for name, one in ours.items():
            one.update(float(value > 1) if name == "ddm" else value)
            if one.drift:
                wanted.append(f"{name.partition(':')[0]} drift {i}")
    page_hinkley, adwin, ddm = (one.state_dict() for one in ours.values())
    last = {
        "page-hinkley mean": page_hinkley["mean"],
        "page-hinkley up": page_hinkley["up"],
        "ddm rate": ddm["rate"],
        "ddm spread": ddm["lowest_spread"],
        "adwin total": adwin["total"],
        "adwin variance": adwin["variance"],
    }
    wanted += [f"{name} {np.float64(value).view(np.uint64):016x}" for name, value in last.items()]
    assert done.stdout.splitlines() == wanted
    assert sum("drift" in line for line in wanted) >= 6
