"""``NoveltyDetector`` in C99 over whole series: the whole corpus is scored with it, to the bit as in Python."""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import numpy.typing as npt

from selvedge.artifact.toolchain import find_compiler

LOOP = """
void run(const float *values, const double *times, size_t rows, uint32_t warm, uint32_t hold, float *scores) {
    selvedge_novelty state;
    size_t i;
    selvedge_novelty_init(&state);
    for (i = 0; i < rows; i++) scores[i] = selvedge_novelty_update(&state, values[i], times[i], warm, hold);
}
size_t state_bytes(void) { return sizeof(selvedge_novelty); }
"""
STRICT = ("-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", "-pedantic", "-ffp-contract=off", "-fPIC", "-shared")


@cache
def library(capacity: int) -> ctypes.CDLL:
    """The detector that holds ``capacity`` values, compiled. Raises ``NoCompiler``."""
    source = files("selvedge.learn.anomaly") / "c"
    code = "#include <stddef.h>\n" + "".join((source / name).read_text() for name in ("novelty.h", "novelty.c")) + LOOP
    code = code.replace('#include "novelty.h"\n', "")
    with tempfile.TemporaryDirectory() as made:
        file, shared = Path(made) / "novelty.c", Path(made) / "novelty.so"
        file.write_text(code)
        command = [*find_compiler().command, *STRICT, f"-DSELVEDGE_NOVELTY_VALUES={capacity}"]
        subprocess.run([*command, str(file), "-o", str(shared), "-lm"], check=True)
        found = ctypes.CDLL(str(shared))
    found.state_bytes.restype = ctypes.c_size_t
    found.run.argtypes = [*[ctypes.c_void_p] * 2, ctypes.c_size_t, *[ctypes.c_uint32] * 2, ctypes.c_void_p]
    found.run.restype = None
    return found


def scores(
    values: npt.ArrayLike, times: npt.ArrayLike | None = None, *, capacity: int = 672, warm: int = 10, hold: int = 100
) -> npt.NDArray[np.float32]:
    """[rows], as ``NoveltyDetector(56 + 6 * capacity, warm=warm, hold=hold)`` gives one after the other."""
    given = np.ascontiguousarray(values, np.float32)
    moments = np.full(given.size, np.nan) if times is None else np.ascontiguousarray(times, np.float64)
    assert moments.shape == given.shape
    found = np.empty(given.size, np.float32)
    library(capacity).run(given.ctypes.data, moments.ctypes.data, given.size, warm, hold, found.ctypes.data)
    return found
