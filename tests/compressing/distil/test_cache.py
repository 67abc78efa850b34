"""A teacher's answers on disk: how far off they may be, whose they are, and what a kill leaves behind."""

from __future__ import annotations

import copy
import fcntl
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import selvedge as sv
from selvedge.artifact import files
from selvedge.compressing.distil import stored
from selvedge.compressing.distil.teacher import ModuleTeacher

from .nets import digits, residual, small
from .test_module import exported, refused

LAYERS = ("layer1",)


def x(count: int = 50) -> torch.Tensor:
    return digits()[0][:count]


def filled(folder: Path, teacher: nn.Module | None = None, data: Any = None, **settings: Any) -> sv.TeacherCache:
    """50 samples in chunks of 8: six whole ones, and one of two."""
    given = {"layers": LAYERS, "chunk": 8, **settings}
    return sv.TeacherCache(folder, ModuleTeacher(teacher or residual(4)), x() if data is None else data, **given)


def contents(folder: Path) -> dict[str, bytes]:
    return {f.name: f.read_bytes() for f in sorted(folder.iterdir())}


# What a number becomes.

FLOATS = st.floats(-6e4, 6e4, width=32)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(FLOATS, min_size=5, max_size=5), min_size=1, max_size=4), st.sampled_from(stored.DTYPES))
def test_the_error_is_within_what_is_stated(values: list[list[float]], dtype: str) -> None:
    v = np.array(values, np.float32)
    found = stored.unpacked("a", stored.packed("a", v, dtype))
    off = np.abs(found.astype(np.float64) - v.astype(np.float64))
    assert found.dtype == np.float32
    assert (off <= stored.bound(v, dtype)).all()
    if dtype == "float16":  # IEEE 754: half a unit in the last place, numpy's own
        assert (off <= np.maximum(np.spacing(np.abs(v).astype(np.float16)).astype(np.float64) / 2, 2.0**-25)).all()
    if dtype == "int8":
        apart = v.astype(np.float64).max(1) - v.astype(np.float64).min(1)
        assert (off.max(1) <= apart / 510 + np.maximum(2.0**-22 * np.abs(v).max(1), 2.0**-141)).all()


def test_int8_by_hand() -> None:
    """-1 to 1.55 in steps of 0.01: 0.333 is 133.3 steps above -1, so 0.33."""
    found = stored.unpacked("a", stored.packed("a", np.float32([[-1, 1.55, 0.333]]), "int8"))
    np.testing.assert_allclose(found, [[-1, 1.55, 0.33]], rtol=1e-6)
    constant = np.float32([[0.1] * 3, [-7] * 3])
    assert (stored.unpacked("a", stored.packed("a", constant, "int8")) == constant).all()


@pytest.mark.parametrize("dtype", stored.DTYPES)
def test_what_is_read_is_what_the_teacher_says_within_the_bound(tmp_path: Path, dtype: str) -> None:
    teacher = residual(4)
    cache = filled(tmp_path / "c", teacher, dtype=dtype)
    with torch.no_grad():
        wanted = {"": teacher(x()), "layer1": teacher.layer1(teacher.stem(x()))}
    rows = torch.randperm(50, generator=torch.Generator().manual_seed(1))[:33]
    found = cache.take(rows, (x()[rows],))
    assert list(found) == ["", "layer1"]
    for name, value in wanted.items():
        values = value[rows].numpy()
        slack = stored.bound(values, dtype) + 1e-5 * np.abs(values).max()  # another batch size rounds otherwise
        assert (np.abs(found[name].numpy() - values) <= slack).all()
    size = {"float32": 4, "float16": 2, "int8": 1}[dtype] * sum(v.numel() for v in wanted.values())
    assert size < cache.bytes < size + 7 * 700 + 50 * 20


def test_a_loss_of_the_cache_is_the_teachers(tmp_path: Path) -> None:
    data, y = digits()[0][:50], digits()[1][:50]
    terms = [sv.Logits(), sv.DKD(), sv.Hint(), sv.AttentionTransfer(), sv.Relational()]
    student = small()
    distil = sv.Distil(student, residual(), terms, example=data)
    rows = np.random.default_rng(0).permutation(50)[:20]
    wanted = distil.loss(data[rows], y[rows])
    seen: list[tuple[int, int]] = []
    cache = distil.cache(tmp_path / "c", data, chunk=16, on_progress=lambda done, total: seen.append((done, total)))
    assert seen == [(16, 50), (32, 50), (48, 50), (50, 50)]
    assert sorted(cache.layers) == ["layer1", "pool", "stem"]
    distil._teacher.module = None  # it is not needed any more
    found = distil.loss(data[rows], y[rows], index=torch.from_numpy(rows))
    torch.testing.assert_close(found, wanted, rtol=2e-3, atol=1e-4)
    found.backward()


def test_an_onnx_teacher_is_cached_by_its_file(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    path = exported(small(8).eval(), tmp_path / "t.onnx")
    for again in (False, True):
        distil = sv.Distil(small(), path, [sv.Logits(), sv.Hint()], example=x())
        assert distil.cache(tmp_path / "c", x(), chunk=20).computed == ([] if again else [0, 1, 2])
    exported(small(8, seed=5).eval(), path)
    distil = sv.Distil(small(), path, [sv.Logits(), sv.Hint()], example=x())
    assert "it is of another teacher" in refused(lambda: distil.cache(tmp_path / "c", x(), chunk=20))


# Killed.

CHILD = """
import sys
sys.modules["torchao"] = None  # that a teacher's answers need none of it
import numpy as np, torch
from selvedge import TeacherCache
from selvedge.compressing.distil.teacher import ModuleTeacher
from tests.compressing.distil.nets import residual
torch.set_num_threads(1)
say = lambda done, total: print(done, flush=True)
TeacherCache(sys.argv[1], ModuleTeacher(residual(4)), np.load(sys.argv[2]), layers=["layer1"], chunk=8, on_progress=say)
"""


def test_a_process_that_is_killed_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    whole, killed, data = tmp_path / "whole", tmp_path / "killed", x(400)
    np.save(tmp_path / "x.npy", data.numpy())
    assert filled(whole, data=data).computed == list(range(50))
    command = [sys.executable, "-c", CHILD, str(killed), str(tmp_path / "x.npy")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if line.strip() == "16":
                child.send_signal(signal.SIGKILL)
                break
        child.wait()
    assert child.returncode == -signal.SIGKILL
    before = {name: data for name, data in contents(killed).items() if name.endswith(".answers")}
    assert 2 <= len(before) < 50
    assert all(contents(whole)[name] == data for name, data in before.items())
    cache = filled(killed, data=data)
    assert cache.computed == list(range(len(before), 50))
    assert cache.repaired == []
    assert contents(killed) == contents(whole)


class Stop(BaseException):
    """In place of a signal."""


@pytest.mark.parametrize("call", ["open", "fsync", "replace"])
def test_stopped_at_every_step_of_every_write_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """The same steps in this process: stopped before and behind each, with the temporary file left lying as a kill
    leaves it."""
    whole = tmp_path / "whole"
    filled(whole)
    real = getattr(os, call)
    for number in range(1, 8):
        for behind in (False, True):
            folder, count = tmp_path / f"{number}{behind}", 0

            def stopping(*given: Any, number: int = number, behind: bool = behind, **more: Any) -> Any:
                nonlocal count
                count += 1
                if count == number and not behind:
                    raise Stop
                made = real(*given, **more)
                if count == number:
                    raise Stop
                return made

            with monkeypatch.context() as patch:
                patch.setattr(files.os, call, stopping)
                patch.setattr(files.os, "unlink", lambda *given: None)
                with pytest.raises(Stop):
                    filled(folder)
            filled(folder)
            assert contents(folder) == contents(whole), (number, behind)


# Damaged, or somebody else's.


@settings(max_examples=20, deadline=None)
@given(
    number=st.integers(0, 6), at=st.floats(0, 0.999), how=st.sampled_from(["flip", "cut", "longer", "empty", "gone"])
)
def test_a_damaged_chunk_is_computed_again(
    tmp_path_factory: pytest.TempPathFactory, number: int, at: float, how: str
) -> None:
    folder = _DAMAGED.setdefault("folder", tmp_path_factory.mktemp("damaged") / "c")
    filled(folder)
    before = contents(folder)
    path = folder / f"{number:08d}.answers"
    data = bytearray(path.read_bytes())
    place = int(at * len(data))
    if how == "flip":
        data[place] ^= 0x10
    elif how == "cut":
        del data[place:]
    elif how == "longer":
        data += b"x"
    path.write_bytes(b"" if how == "empty" else bytes(data))
    if how == "gone":
        path.unlink()
    cache = filled(folder)
    assert cache.computed == [number]
    assert cache.repaired == ([] if how == "gone" else [number])
    assert contents(folder) == before


_DAMAGED: dict[str, Path] = {}


def test_a_chunk_of_another_cache_is_computed_again(tmp_path: Path) -> None:
    mine, other = tmp_path / "mine", tmp_path / "other"
    filled(mine)
    filled(other, residual(4, seed=9))
    before = contents(mine)
    (mine / "00000002.answers").write_bytes((other / "00000002.answers").read_bytes())
    (mine / "00000004.answers").write_bytes((mine / "00000005.answers").read_bytes())
    cache = filled(mine)
    assert cache.repaired == cache.computed == [2, 4]
    assert contents(mine) == before


def test_a_folder_of_something_else_is_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    filled(folder)
    before = contents(folder)
    teacher = residual(4)
    teacher.fc.bias.data[3] += 1e-6
    data = x().clone()
    data[49, 0, 7, 7] += 1e-3
    for change, what in (
        ({"teacher": teacher}, "another teacher"),
        ({"data": data}, "other data"),
        ({"data": x(49)}, "other data"),
        ({"layers": ("layer2",)}, "other layers"),
        ({"dtype": "int8"}, "dtype float16"),
        ({"chunk": 9}, "chunks of 8"),
    ):
        line = refused(lambda change=change: filled(folder, **change))
        assert line == f"cache is {folder}: it is of {what}: remove it, or name another folder"
    assert contents(folder) == before


def test_a_teacher_of_the_same_weights_that_computes_otherwise_is_another(tmp_path: Path) -> None:
    class Scaled(nn.Sequential):
        factor = 1.0

        def forward(self, given: torch.Tensor) -> torch.Tensor:
            return self.factor * super().forward(given)

    torch.manual_seed(0)
    teacher = Scaled(nn.Flatten(), nn.Linear(64, 10))
    filled(tmp_path / "c", teacher, layers=())
    teacher.factor = 1.1
    line = refused(lambda: filled(tmp_path / "c", teacher, layers=()))
    assert "it is of another teacher, whose answers differ: remove it, or name another folder" in line
    (tmp_path / "c" / "00000000.answers").unlink()  # the first ones are not there to compare with
    before = contents(tmp_path / "c")
    assert refused(lambda: filled(tmp_path / "c", teacher, layers=())) == line
    assert contents(tmp_path / "c") == before
    teacher.factor = 1.0
    assert filled(tmp_path / "c", teacher, layers=()).computed == [0]


def test_folders_that_cannot_be_used_are_one_line(tmp_path: Path) -> None:
    other, file, broken = tmp_path / "other", tmp_path / "file", tmp_path / "broken"
    other.mkdir()
    (other / "mine.txt").write_text("kept")
    file.write_text("kept")
    broken.mkdir()
    (broken / "cache.json").write_text("{")
    assert refused(lambda: filled(other)) == f"cache is {other}: it holds other files: name a new or empty folder"
    assert contents(other) == {"mine.txt": b"kept"}
    assert refused(lambda: filled(file)).startswith(f"cache is {file}: cannot write there (")
    line = f"cache is {broken / 'cache.json'}: it describes no cache: remove the folder, or name another"
    assert refused(lambda: filled(broken)) == line
    (broken / "cache.json").write_text("[" * 100_000)
    assert refused(lambda: filled(broken)) == line
    folder = tmp_path / "c"
    filled(folder)
    with open(folder / ".lock", "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        line = refused(lambda: filled(folder))
    assert line == f"cache is {folder}: another process is filling it: wait for it, or name another folder"
    assert filled(folder).computed == []


def test_settings_and_numbers_that_cannot_be_used_are_one_line(tmp_path: Path) -> None:
    cache = filled(tmp_path / "c")
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x(8), torch.arange(8)), 4)
    line = refused(lambda: filled(tmp_path / "pairs", data=loader, layers=()))
    assert line.startswith("data is of shape [N, 1, 8, 8], [N]: the teacher fails on it: ")
    assert line.endswith("; of pairs (x, y) give x alone")
    large = copy.deepcopy(small())
    large[6].weight.data.mul_(1e8)
    for make, line in (
        (lambda: filled(tmp_path / "d", dtype="int4"), "dtype is int4: give float16, int8, float32"),
        (lambda: filled(tmp_path / "d", chunk=0), "chunk is 0: give a whole number of samples, 1 or more"),
        (lambda: cache.take([1.5]), "index is of float64 [1]: give the row number of each sample, [N]"),
        (lambda: cache.take([3, 50]), "index is 50: the cache has the rows 0 to 49"),
        (lambda: cache.take([-1]), "index is -1: the cache has the rows 0 to 49"),
        (lambda: cache.take([1, 2], (x(3),)), "index is of 2 rows: x has 3 samples"),
        (
            lambda: cache.take([0, 2], (x()[[0, 1]],)),
            "index is 2: x has another sample than the data that was cached there (augmented?): "
            "train without the cache",
        ),
        (lambda: filled(tmp_path / "e", data=[]),
         "data is without samples: give at least 32 samples that the model will meet"),
    ):  # fmt: skip
        assert refused(make) == line
    line = refused(lambda: filled(tmp_path / "f", large, layers=()))
    assert line.startswith("dtype is float16: the teacher gives ")
    assert line.endswith(": give int8 or float32")
    filled(tmp_path / "f", large, layers=(), dtype="int8")
    distil = sv.Distil(small(), residual(4), sv.Logits(), example=x())
    distil.cache(tmp_path / "g", x())
    line = "index is None: give the row number of each sample in the data that was cached"
    assert refused(lambda: distil.loss(x(), digits()[1][:50])) == line
    own = sv.Distil(small(), sv.SelfTeacher(), sv.Logits(), example=x())
    assert "a SelfTeacher changes with each step" in refused(lambda: own.cache(tmp_path / "h", x()))
    assert not (tmp_path / "h").exists()


def test_nothing_in_it_is_pickle(tmp_path: Path) -> None:
    filled(tmp_path / "c", dtype="int8")
    about = json.loads((tmp_path / "c" / "cache.json").read_bytes())
    assert about["shapes"] == {"": [10], "layer1": [8, 4, 4]}
    data = (tmp_path / "c" / "00000000.answers").read_bytes()
    assert data.startswith(stored.MAGIC)
    length = int.from_bytes(data[stored.HEAD - 4 : stored.HEAD], "little")
    header = json.loads(data[stored.HEAD : stored.HEAD + length])
    assert {a["dtype"] for a in header["arrays"]} == {"|u1", "<f4", "<u4"}
    sizes = [np.dtype(a["dtype"]).itemsize * int(np.prod(a["shape"])) for a in header["arrays"]]
    assert len(data) == stored.HEAD + length + sum(sizes)
