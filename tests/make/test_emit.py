"""What an artifact holds, and what it leaves alone."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import selvedge as sv
from selvedge.artifact.toolchain import find_compiler

BOARD = sv.Device(name="board", ram="1MiB", flash="1MiB")


@pytest.fixture(scope="module")
def plan() -> sv.Plan:
    torch.manual_seed(0)
    return sv.plan(nn.Linear(4, 3), torch.zeros(1, 4), device=BOARD, optimizer=sv.SGD(lr=0.1, momentum=0.9))


def test_emitting_again_keeps_what_the_user_put_beside_it(plan: sv.Plan, tmp_path: Path) -> None:
    sv.emit(plan, "c", tmp_path / "firmware")
    (tmp_path / "firmware" / "main.c").write_text("int main(void) { return 0; }")
    (tmp_path / "firmware" / "build").mkdir()
    (tmp_path / "firmware" / "model.c").write_text("altered")
    sv.emit(plan, "c", tmp_path / "firmware")
    assert (tmp_path / "firmware" / "main.c").read_text() == "int main(void) { return 0; }"
    assert (tmp_path / "firmware" / "build").is_dir()
    sv.load(tmp_path / "firmware")  # the altered file is the artifact's own: it is replaced
    assert [p.name for p in tmp_path.iterdir()] == ["firmware"]


def test_an_artifact_holds_what_a_session_has_learnt(plan: sv.Plan, tmp_path: Path) -> None:
    session = sv.compile(plan)
    x, y = np.ones((1, 4), np.float32), np.array([1])
    session.step(x, y)
    sv.emit(plan, "c", tmp_path / "learnt", learnt=session)
    again = sv.load(tmp_path / "learnt")
    for name, value in session.state_dict().items():
        np.testing.assert_array_equal(again.state_dict()[name], value.numpy())
    assert again.step(x, y) == session.step(x, y)
    sv.emit(plan, "c", tmp_path / "state", learnt=session.state_dict())
    for name, value in session.state_dict().items():
        np.testing.assert_array_equal(sv.load(tmp_path / "state").state_dict()[name], value.numpy())


@pytest.mark.parametrize("name", ["conv", "selvedge", "SELVEDGE_conv", "stack_probe", "two words", "1st", "", "a" * 65])
def test_a_name_that_cannot_be_a_file_of_c_is_refused(name: str) -> None:
    with pytest.raises(sv.InvalidInput, match=f"name is {name or 'empty'}: "):
        sv.plan(nn.Linear(4, 3), torch.zeros(1, 4), device=BOARD, name=name)


@pytest.mark.parametrize("make", [lambda p: p.mkdir(), lambda p: p.symlink_to(p.parent / "real"), lambda p: None])
def test_a_directory_that_is_empty_a_link_or_new_is_filled(
    plan: sv.Plan, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    (tmp_path / "real").mkdir()
    make(tmp_path / "firmware")
    for _ in range(2):
        sv.emit(plan, "c", tmp_path / "firmware")
        assert sv.load(tmp_path / "firmware").steps == 0
    assert not [p.name for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_the_place_in_the_schedule_travels(tmp_path: Path) -> None:
    x, y = torch.randn(2, 4), np.array([0, 2], np.int32)
    plan = sv.plan(nn.Linear(4, 3), x, device=BOARD, schedule=sv.Cosine(0.1, 20, warmup=5))
    session = sv.compile(plan)
    for _ in range(7):
        session.step(x, y)
    sv.emit(plan, "c", tmp_path / "learnt", learnt=session)
    again = sv.load(tmp_path / "learnt")
    assert again.steps == 7
    assert [again.step(x, y) for _ in range(3)] == [session.step(x, y) for _ in range(3)]


def test_the_documented_snippet_compiles_without_any_flag(plan: sv.Plan, tmp_path: Path) -> None:
    folder = sv.emit(plan, "c", tmp_path / "firmware")
    (folder / "main.c").write_text(
        """
#include <string.h>
#include "model.h"
#include "model_weights.h"
static unsigned char arena[MODEL_ARENA_BYTES] __attribute__((aligned(MODEL_ALIGNMENT)));
static model_context context;
int main(void)
{
    const float x[4] = {1, 2, 3, 4}, rate = 0.01f;
    const int32_t label = 2;
    float before, after;
    model_init(&context, arena, model_weights);
    for (int i = 0; i < 20; i++) {
        memcpy(arena + MODEL_STEP_X, x, sizeof x);
        memcpy(arena + MODEL_STEP_Y, &label, sizeof label);
        memcpy(arena + MODEL_STEP_LR, &rate, sizeof rate);
        if (model_step(&context) != SELVEDGE_OK) return 1;
        memcpy(&after, arena + MODEL_STEP_LOSS, sizeof after);
        if (i == 0) before = after;
    }
    return after < before ? 0 : 2;
}
"""
    )
    command = ["-std=c99", "-Wall", "-Wextra", "-O2", "main.c", "model.c", "-lm", "-o", "main"]
    subprocess.run([*find_compiler().command, *command], cwd=folder, check=True)
    assert subprocess.run([str(folder / "main")], check=False).returncode == 0
