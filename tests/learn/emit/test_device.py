"""The learner on an emulated Cortex-M4, with the emitted step: the host's decisions, and its memory to the bit."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import selvedge as sv
from selvedge.learn.emit.board import load_live
from selvedge.learn.emit.emit import LiveC, emit_live
from selvedge.learn.habits import Habits
from selvedge.learn.learner import Learner
from selvedge.learn.memory.replay import Replay
from tests.firmware.test_qemu import execute
from tests.required import missing

from .. import small

HERE, FIRMWARE = Path(__file__).parent, Path(__file__).parents[2] / "firmware"
SAMPLES = 200
# The step sums in another order and has newlib's expf: what it learns differs in the last places, and so do the
# knowledge and the losses that the two judge by. 3e-6 of the largest weight was measured.
TOLERANCE = 1e-4

pytestmark = pytest.mark.qemu


@dataclass(frozen=True)
class Run:
    """The host's learner after the stream, one that holds the board's state, and what the board printed."""

    host: Learner
    board: Learner
    emitted: LiveC
    stack: int
    guards_broken: int
    rounds: int
    reserved: int
    text: int


def needs(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        missing(program)
    return found


def learner(session: sv.Session) -> Learner:
    memory = Replay(3000, small.SHAPE, np.float32, classes=10, codec="int8", seed=4)
    held_out = Replay(900, small.SHAPE, np.float32, classes=10, codec="half+int8", policy="reservoir", seed=5)
    habits = Habits(shadow=2.0, alpha=0.9)
    return Learner(session, memory=memory, held_out=held_out, anchor=small.anchor(0.1), habits=habits)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("device")
    device = sv.Device.load("stm32f446")
    assert device.toolchain is not None
    compiler, emulator = needs(device.toolchain.compiler[0]), needs("qemu-system-arm")
    optimiser, scale = sv.SGD(lr=small.RATE, momentum=0.9), sv.Preprocess(scale=(1 / 16,), offset=(0.0,))
    example = small.torch.zeros(4, *small.SHAPE)
    plan = sv.plan(small._trained(), example, device=device, optimizer=optimiser, preprocess=scale, name="small")
    artifact = sv.emit(plan, "c", folder / "artifact")
    host, other = (learner(sv.load(artifact)) for _ in range(2))
    emitted = emit_live(host, folder / "live")

    x, y = (part[:SAMPLES] for part in small.data()["stream"])
    rows = ["{" + ", ".join(f"{v.hex()}f" for v in sample.ravel().tolist()) + "}" for sample in small.grey(x)]
    (folder / "lived.h").write_text(
        f"#define SAMPLES {SAMPLES}\nstatic const float stream_x[SAMPLES][{x[0].size}] = {{{', '.join(rows)}}};\n"
        f"static const int32_t stream_y[SAMPLES] = {{{', '.join(map(str, y.tolist()))}}};\n"
    )
    flags = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wdouble-promotion", "-Werror", "-O2"]
    flags += [*device.toolchain.flags, f"-I{artifact}", f"-I{folder / 'live'}", f"-I{folder}"]
    units = {"small": artifact, "small_live": folder / "live", "device": HERE}
    for name, at in units.items():
        quiet = ["-Wno-double-promotion"] if name == "small" else []
        fused = "-ffp-contract=fast" if name == "small" else "-ffp-contract=off"
        execute(compiler, *flags, fused, *quiet, "-c", at / f"{name}.c", "-o", folder / f"{name}.o")
    objects = [folder / f"{name}.o" for name in units]
    image, link = folder / "image.elf", ["-nostartfiles", "-specs=rdimon.specs", "-T", FIRMWARE / "link.ld", "-lm"]
    execute(compiler, *flags, FIRMWARE / "start.c", *objects, *link, "-o", image)
    size = execute(compiler.removesuffix("gcc") + "size", folder / "small_live.o")
    printed = execute(
        emulator, "-M", "mps2-an386", "-nographic", "-monitor", "none", "-serial", "none",
        "-semihosting-config", "enable=on,target=native", "-kernel", image,
    )  # fmt: skip
    words = [line.split() for line in printed.splitlines() if line]
    said = {w[0]: int(w[1]) for w in words if w[0] != "live"}
    load_live(other, bytes.fromhex("".join(w[1] for w in words if w[0] == "live")))
    small.follow(host, small.grey(x), y)
    anchor = host.anchor.bytes if host.anchor else 0
    text = int(size.splitlines()[1].split()[0]) - anchor
    return Run(host, other, emitted, said["stack"], said["guards"], said["rounds"], device.reserved_ram, text)


def test_the_decisions_are_the_hosts(run: Run) -> None:
    def decisions(own: Learner) -> list[tuple[int, str, str]]:
        return [(entry.sample, entry.kind, entry.why.partition(" (")[0]) for entry in own.diary]

    assert decisions(run.board) == decisions(run.host)
    assert {"committed"} <= {kind for _, kind, _ in decisions(run.host)}
    assert run.rounds == run.host.tally.rounds == SAMPLES // run.host.habits.every
    for name in ("seen", "merit", "steps", "rounds", "commits", "refused", "late"):
        assert getattr(run.board.tally, name) == getattr(run.host.tally, name), name
    assert run.board.tally.loss == pytest.approx(run.host.tally.loss, rel=TOLERANCE)


def test_memories_and_draws_are_the_hosts_to_the_bit(run: Run) -> None:
    ours, theirs = run.host.state_dict(), run.board.state_dict()
    whole = [n for n in ours if n.startswith(("memory/", "held/", "now", "draws", "judge/count"))]
    assert len(whole) > 10
    assert [n for n in whole if ours[n].tobytes() != theirs[n].tobytes()] == []


def test_the_weights_are_the_hosts(run: Run, record_property: pytest.RecordProperty) -> None:
    ours, theirs = run.host.state_dict(), run.board.state_dict()
    worst = 0.0
    for name, array in ours.items():
        if name.startswith(("deployed/", "candidate/", "grown/")):
            worst = max(worst, float(np.abs(array - theirs[name]).max() / np.abs(array).max()))
    record_property("weights_relative_difference", worst)
    print(f"weights: {worst:.2e} relative at worst; {run.text:,} B of code, {run.stack:,} B of stack")
    assert worst <= TOLERANCE
    assert np.allclose(ours["judge/log"], theirs["judge/log"], rtol=TOLERANCE, atol=TOLERANCE)


def test_bytes_stack_and_code_are_within_what_is_said(run: Run, record_property: pytest.RecordProperty) -> None:
    record_property("stack_bytes", run.stack)
    record_property("text_bytes", run.text)
    assert run.guards_broken == 0
    assert 0 < run.stack < run.reserved
    assert run.text < 16 << 10
