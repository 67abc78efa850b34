"""The emitted C, trained on an emulated Cortex-M4, learns what the host's session learns."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import selvedge as sv

HERE = Path(__file__).parent
WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-O2", "-ffp-contract=fast")
STEPS, BATCHES, BATCH, CLASSES = 30, 4, 4, 4
# Both run the same scalar kernels with fused multiply-adds; expf and logf are newlib's there and glibc's here, and the
# compilers order a few sums differently. Relative, over 30 steps of momentum; 1.9e-7 was measured, and 2.2e-7 for the
# predictions, with 24 of the 31 losses equal in every bit.
TOLERANCE = 1e-6
TEXT_LIMIT = 64 * 1024  # bytes of code and constants of the model, as GNU size counts them

pytestmark = pytest.mark.qemu


class Tiny(nn.Module):
    """A DS-CNN in small: every kernel family that such a model learns with."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 16, 3, stride=2, padding=1, bias=False)
        self.stem_norm = nn.BatchNorm2d(16)
        self.depthwise = nn.Conv2d(16, 16, 3, padding=1, groups=16, bias=False)
        self.depthwise_norm = nn.BatchNorm2d(16)
        self.pointwise = nn.Conv2d(16, 24, 1, bias=False)
        self.pointwise_norm = nn.BatchNorm2d(24)
        self.head = nn.Linear(24, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.stem_norm(self.stem(x)))
        x = torch.relu(self.depthwise_norm(self.depthwise(x)))
        x = torch.relu(self.pointwise_norm(self.pointwise(x)))
        x = nn.functional.max_pool2d(x, 2)
        return self.head(x.mean((2, 3)))


@dataclass(frozen=True)
class Run:
    """What the microcontroller printed, what the host's session gave for the same batches, and the sizes."""

    plan: sv.Plan
    losses: np.ndarray
    outputs: np.ndarray
    host_losses: np.ndarray
    host_outputs: np.ndarray
    stack: int
    guards_broken: int
    text: int
    functions: dict[str, int]


def needs(program: str) -> str:
    found = shutil.which(program)
    if found is None and os.environ.get("SELVEDGE_REQUIRE_ALL"):
        pytest.fail(f"{program} is missing and SELVEDGE_REQUIRE_ALL is set")
    if found is None:
        pytest.skip(f"{program} is not installed")
    return found


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("firmware")
    device = sv.Device.load("stm32f446")
    assert device.toolchain is not None
    compiler = needs(device.toolchain.compiler[0])
    emulator = needs("qemu-system-arm")
    torch.manual_seed(0)
    model = Tiny().eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, 0, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    plan = sv.plan(model, torch.zeros(BATCH, 1, 12, 12), device=device, optimizer=sv.SGD(lr=0.08, momentum=0.9))
    artifact = sv.emit(plan, "c", folder / "artifact")
    batches = learnable(np.random.default_rng(0))
    (folder / "batches.h").write_text(batches_header(plan, batches))

    session = sv.load(artifact, cache=folder / "cache")
    host = [session.step(*batches[i % BATCHES]) for i in range(STEPS)]
    host.append(session.evaluate(*batches[0])[0])

    flags = [*WARNINGS, *device.toolchain.flags, f"-I{artifact}", f"-I{folder}"]
    execute(compiler, *flags, "-c", artifact / "model.c", "-o", folder / "model.o")
    image = folder / "image.elf"
    own = [HERE / "start.c", HERE / "main.c", folder / "model.o"]
    execute(compiler, *flags, *own, "-nostartfiles", "-specs=rdimon.specs", "-T", HERE / "link.ld", "-lm", "-o", image)
    tools = compiler.removesuffix("gcc")
    text = int(execute(f"{tools}size", folder / "model.o").splitlines()[1].split()[0])
    symbols = [line.split() for line in execute(f"{tools}nm", "-S", folder / "model.o").splitlines()]
    functions = {s[3]: int(s[1], 16) for s in symbols if len(s) == 4 and s[2] in "tT"}

    printed = execute(
        emulator, "-M", "mps2-an386", "-nographic", "-monitor", "none", "-serial", "none",
        "-semihosting-config", "enable=on,target=native", "-kernel", image,
    )  # fmt: skip
    words = [line.split() for line in printed.splitlines()]
    assert [w for w in words if w[0] == "status"] == [["status", "0"]], printed
    return Run(
        plan,
        floats(w[1] for w in words if w[0] == "loss"),
        floats(w[1] for w in words if w[0] == "output"),
        np.array(host, np.float32),
        session.predict(batches[0][0]).reshape(-1),
        next(int(w[1]) for w in words if w[0] == "stack"),
        next(int(w[1]) for w in words if w[0] == "guards"),
        text,
        functions,
    )


def execute(*command: str | Path) -> str:
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{command[0]}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def learnable(rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
    """Noise, rows, columns and chequers; which of them is the label."""
    row, column = np.indices((12, 12)) % 2 * 2 - 1
    textures = np.stack([0 * row, row, column, row * column]).astype(np.float32)
    made = []
    for _ in range(BATCHES):
        y = rng.permutation(CLASSES)[:BATCH]
        made.append((textures[y, None] + rng.normal(0, 0.5, (BATCH, 1, 12, 12)).astype(np.float32), y))
    return made


def batches_header(plan: sv.Plan, batches: list[tuple[np.ndarray, np.ndarray]]) -> str:
    """The batches as the bits of what the arena must hold."""

    def words(name: str, arrays: list[np.ndarray]) -> str:
        rows = [", ".join(f"{v}u" for v in a.reshape(-1).view(np.uint32)) for a in arrays]
        return f"static const uint32_t {name}[{len(rows)}][{arrays[0].size}] = {{{{{'}, {'.join(rows)}}}}};\n"

    layout = plan.programs.layouts["x"]
    return (
        f"#include <stdint.h>\n#define STEPS {STEPS}\n#define BATCHES {BATCHES}\n#define OUTPUTS {BATCH * CLASSES}\n"
        f"static const float rate = {plan.schedule.lr(0)}f;\n"
        + words("batch_x", [layout.store(x) for x, _ in batches])
        + words("batch_y", [y.astype(np.int32) for _, y in batches])
    )


def floats(texts: Iterable[str]) -> np.ndarray:
    return np.array([int(t, 16) for t in texts], np.uint32).view(np.float32)


def test_loss_curve_is_the_hosts(run: Run, record_property: pytest.RecordProperty) -> None:
    worst = float(np.max(np.abs(run.losses - run.host_losses) / np.abs(run.host_losses)))
    equal = int((run.losses == run.host_losses).sum())
    record_property("loss_relative_difference", worst)
    print(f"losses: {worst:.2e} relative at worst, {equal} of {len(run.losses)} equal in every bit")
    assert len(run.losses) == STEPS + 1
    assert run.losses[-1 - BATCHES : -1].mean() < 0.5 * run.losses[:BATCHES].mean()
    assert worst <= TOLERANCE


def test_predictions_are_the_hosts(run: Run, record_property: pytest.RecordProperty) -> None:
    worst = float(np.max(np.abs(run.outputs - run.host_outputs)) / np.max(np.abs(run.host_outputs)))
    record_property("output_relative_difference", worst)
    print(f"outputs: {worst:.2e} relative")
    assert run.outputs.shape == (BATCH * CLASSES,)
    assert worst <= TOLERANCE


def test_arena_is_kept_to_the_byte(run: Run) -> None:
    assert run.guards_broken == 0


def test_stack_is_within_what_the_profile_reserves(run: Run, record_property: pytest.RecordProperty) -> None:
    record_property("stack_bytes", run.stack)
    print(f"stack: {run.stack} of {run.plan.device.reserved_ram} B, main included")
    assert 0 < run.stack < run.plan.device.reserved_ram


def test_code_is_small(run: Run, record_property: pytest.RecordProperty) -> None:
    record_property("text_bytes", run.text)
    print(f"code and constants: {run.text} B")
    for name, size in sorted(run.functions.items(), key=lambda item: -item[1]):
        print(f"  {size:6} {name}")
    assert run.text <= TEXT_LIMIT
    assert run.text <= run.plan.arrangement.memory.code  # the planner's estimate is from above
