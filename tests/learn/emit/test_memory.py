"""The microcontroller's memory is the numpy one to the last bit: what it keeps, what it draws, what comes out again."""

from __future__ import annotations

import re
import struct
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selvedge.learn.c import FOLDER
from selvedge.learn.draws import Draws
from selvedge.learn.emit.sample import replay
from selvedge.learn.memory.affine import Affine
from selvedge.learn.memory.bits import Bits
from selvedge.learn.memory.replay import Replay
from selvedge.learn.memory.smaller import Smaller

from .board import STRICT

NAMES = {"SV_RAW": 0, "SV_FLOAT16": 1, "SV_BITS": 2, "SV_AFFINE": 3, "SV_RESERVOIR": 0, "SV_BALANCED": 1}
FORM = np.dtype([("codec", "i4", 8), ("ends", "f8", 2), ("rest", "i4", 8)], align=True)  # sv_replay
OF_FLOATS = ["raw", "float16", "int8", "int4", "2bit", "1bit", "half+raw", "half+int8", "third+2bit", "quarter+float16"]
OF_BYTES = ["raw", "int8", "int4", "2bit", "1bit", "half+raw", "half+int4", "third+raw"]
OWN = [Affine(4, -1.0, 2.5), Bits(2), Smaller(5, Bits(4)), Smaller(7, Affine(2, -3.0, 3.0))]
SHAPES = [(7,), (1,), (3, 5), (2, 4, 6), (1, 5, 7)]
CLASSES = 5


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("memory") / "memory"
    command = ["gcc", *STRICT, f"-I{FOLDER}", str(Path(__file__).with_name("memory.c")), "-lm", "-o", str(made)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return made


def described(memory: Replay) -> bytes:
    """The sv_replay that is emitted, as bytes."""
    words = re.findall(r"[^{}, ]+", replay(memory, "memory")[0])
    numbers: list[Any] = [NAMES[w] if w in NAMES else float.fromhex(w) if "0x" in w else int(w) for w in words]
    made = np.zeros(1, FORM)
    made["codec"], made["ends"], made["rest"] = numbers[:8], numbers[8:10], numbers[10:]
    return made.tobytes()


def played(program: Path, memory: Replay, seed: int, calls: bytes) -> bytes:
    (program.parent / "memory.bin").write_bytes(described(memory) + struct.pack("<Q", seed) + calls)
    done = subprocess.run([str(program)], cwd=program.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return (program.parent / "out.bin").read_bytes()


@given(
    shape=st.sampled_from(SHAPES),
    kind=st.sampled_from([(np.float32, c) for c in [*OF_FLOATS, *OWN]] + [(np.uint8, c) for c in [*OF_BYTES, *OWN]]),
    policy=st.sampled_from(["balanced", "reservoir"]),
    capacity=st.integers(1, 12),
    scale=st.sampled_from([1e-7, 1.0, 300.0, 1e9]),
    seed=st.integers(0, 2**64 - 1),
    skew=st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_the_same_bytes_and_the_same_draws(
    program: Path, shape: Any, kind: Any, policy: str, capacity: int, scale: float, seed: int, skew: bool
) -> None:
    dtype, codec = kind
    made = {"dtype": dtype, "classes": CLASSES, "codec": codec, "policy": policy, "seed": seed}
    ours = Replay(12 + 5 * CLASSES + 40 + capacity * 4 * int(np.prod(shape)), shape, **made)
    rng = np.random.default_rng(seed % 1000)
    calls, told = b"", b""
    for i in range(5 * ours.capacity if ours.capacity < 20 else 2 * ours.capacity):
        x = rng.integers(0, 256, shape).astype(np.uint8) if dtype == np.uint8 else scale * rng.normal(size=shape)
        label = int(rng.integers(0, CLASSES) ** 2 // CLASSES if skew else rng.integers(0, CLASSES))
        x = np.asarray(x, dtype)
        ours.add(x, label)
        calls += b"a" + struct.pack("<i", label) + x.tobytes()
        if i % 4 == 3:
            n = int(rng.integers(0, min(len(ours), 64) + 1))
            for sample, of in zip(*ours.sample(n), strict=True):
                told += struct.pack("<i", of) + sample.tobytes()
            calls += b"d" + struct.pack("<i", n)
    told += b"".join(a.tobytes() for a in ours.state_dict().values())
    assert played(program, ours, seed, calls) == told


@pytest.mark.parametrize(("codec", "of"), [("float16", "ties"), ("third+raw", "large"), ("quarter+int8", "large")])
def test_roundings_are_numpys(program: Path, codec: str, of: str) -> None:
    """Floats that lie in the middle of two float16, down to the smallest; and sums that hang on their order."""
    rng, shape = np.random.default_rng(3), (40, 9)
    halves = rng.integers(0, 0x7BFF, (8, *shape)).astype(np.uint16)
    middles = (halves.view(np.float16).astype(np.float64) + (halves + 1).view(np.float16).astype(np.float64)) / 2
    large = rng.choice([1e17, -1e17, 1.0, 3.0, 1e-3], (8, *shape))
    ours = Replay(40_000, shape, np.float32, classes=2, codec=codec)
    calls = b""
    for sample in (middles if of == "ties" else large).astype(np.float32):
        ours.add(sample, 1)
        calls += b"a" + struct.pack("<i", 1) + sample.tobytes()
    assert len(ours) == 8
    told = b"".join(struct.pack("<i", 1) + sample.tobytes() for sample in ours.sample(8)[0])
    told += b"".join(a.tobytes() for a in ours.state_dict().values())
    assert played(program, ours, 0, calls + b"d" + struct.pack("<i", 8)) == told


@given(seed=st.integers(0, 2**64 - 1))
@settings(max_examples=20, deadline=None)
def test_the_same_random_numbers(program: Path, seed: int) -> None:
    played(program, Replay(100, (1,), classes=2), seed, b"")
    draws = Draws(seed)
    wanted = draws.words(20).tobytes()
    wanted += b"".join(draws.below(bound).astype(np.uint32).tobytes() for bound in range(1, 21))
    assert (program.parent / "draws.bin").read_bytes() == wanted + draws.uniform(20).tobytes()
