"""The emitted C, built for this machine alone, does what the session does."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import selvedge as sv
from selvedge.artifact.toolchain import find_compiler

BOARD = sv.Device(name="board", ram="1MiB", flash="1MiB")


def run(plan: sv.Plan, folder: Path, body: str, given: bytes) -> bytes:
    """``body`` behind init, with ``arena`` and ``context``; stdin in ``given``, stdout returned."""
    out = sv.emit(plan, "c", folder)
    (out / "main.c").write_text(
        f"""
#include <stdio.h>
#include <string.h>
#include "model.h"
#include "model_weights.h"
static unsigned char arena[MODEL_ARENA_BYTES] __attribute__((aligned(MODEL_ALIGNMENT)));
static unsigned char given[{len(given) + 1}];
int main(void)
{{
    model_context context;
    if (fread(given, 1, {len(given)}, stdin) != {len(given)}) return 1;
    model_init(&context, arena, model_weights);
    {body}
    return 0;
}}
"""
    )
    command = [*find_compiler().command, "-std=c99", "-O1", "-Wall", "-Wextra", "-Werror", "main.c", "model.c", "-lm"]
    subprocess.run([*command, "-o", "main"], cwd=out, check=True)
    return subprocess.run([str(out / "main")], input=given, capture_output=True, check=True).stdout


class Steps(nn.Module):
    """[N, T, F]: stored as they are, so that PyTorch's axis 1 is not the last one stored."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.head = nn.Linear(features, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(x).mean(tuple(range(1, x.ndim - 1)))


class Image(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(channels, 4, 2)
        self.head = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.stem(x).mean((2, 3)))


@pytest.mark.parametrize(
    ("model", "shape"),
    [(Steps(5), (2, 3, 5)), (Steps(3), (1, 3, 3)), (Steps(5), (1, 3, 4, 5)), (Image(3), (2, 3, 4, 5)),
     (nn.Linear(3, 3), (2, 3))],
    ids=["TF", "square", "4d", "image", "flat"],
)  # fmt: skip
def test_firmware_preprocesses_the_axis_that_the_host_does(
    model: nn.Module, shape: tuple[int, ...], tmp_path: Path
) -> None:
    x = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    preprocess = sv.Preprocess((0.01, 0.1, 1.0), (0.0, 1.0, -2.0))
    plan = sv.plan(model, torch.zeros(shape), device=BOARD, preprocess=preprocess, loss="mse")
    expected = sv.compile(plan).predict(x)
    body = f"""
    model_predict_load(&context, given);
    if (model_predict(&context) != SELVEDGE_OK) return 2;
    fwrite(arena + MODEL_PREDICT_OUTPUT, 1, {expected.nbytes}, stdout);"""
    found = run(plan, tmp_path / "out", body, plan.captured.layouts["x"].store(x).tobytes())
    output = plan.captured.layouts["output"]
    stored = np.frombuffer(found, np.float32).reshape(output.shape)
    np.testing.assert_allclose(output.restore(stored), expected, rtol=2e-5, atol=1e-4)


def test_bytes_dumped_by_a_board_come_back_as_a_state_dict(tmp_path: Path) -> None:
    torch.manual_seed(0)
    optimizer = sv.SGD(lr=0.1, momentum=0.9)
    plan = sv.plan(nn.Linear(4, 3), torch.zeros(2, 4), device=BOARD, optimizer=optimizer)
    x, y, lr = np.ones((2, 4), np.float32), np.array([1, 2], np.int32), np.float32(0.1)
    step = """
    for (int i = 0; i < 5; i++) {
        memcpy(arena + MODEL_STEP_X, given, 32);
        memcpy(arena + MODEL_STEP_Y, given + 32, 8);
        memcpy(arena + MODEL_STEP_LR, given + 40, 4);
        if (model_step(&context) != SELVEDGE_OK) return 2;
    }
    fwrite(arena, 1, MODEL_PERSISTENT_BYTES, stdout);"""
    given = x.tobytes() + y.tobytes() + lr.tobytes()
    kept = run(plan, tmp_path / "out", step, given)
    here, back = sv.compile(plan), sv.compile(plan)
    for _ in range(5):
        here.step(x, y)
    back.load_persistent(kept, steps=5)
    for name, value in here.state_dict().items():
        np.testing.assert_allclose(back.state_dict()[name], value, rtol=1e-5, atol=1e-6)
    for name, value in here.optimizer_state_dict().items():
        np.testing.assert_allclose(back.optimizer_state_dict()[name], value, rtol=1e-5, atol=1e-6)
    # and on to the next board: copied behind init, it goes on from there
    again = f"memcpy(arena, given + 44, MODEL_PERSISTENT_BYTES);{step}"
    further = run(plan, tmp_path / "next", again, given + kept)
    for _ in range(5):
        here.step(x, y)
    back.load_persistent(further)
    for name, value in here.state_dict().items():
        np.testing.assert_allclose(back.state_dict()[name], value, rtol=1e-4, atol=1e-6)
