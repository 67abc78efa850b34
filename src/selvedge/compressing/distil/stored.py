"""Numbers of a teacher in fewer bits, and a file of them that is whole or refused. No pickle.

    "float32"  as they are
    "float16"  |error| <= max(2^-11 |v|, 2^-25): half a unit in the last place (IEEE 754 binary16); |v| <= 65504
    "int8"     a sample has 256 steps from its least to its greatest value: |error| <= (most - least) / 510, and what
               float32 rounds of it, max(2^-22 max |v|, 2^-141)

A file: the magic number, the SHA-256 of all behind it, the length of the header (4 bytes, little-endian), the header in
JSON, and the arrays behind one another, little-endian, in C order.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
DTYPES = ("float16", "int8", "float32")
MAGIC = b"selvedge teacher 1\n"
HEAD = len(MAGIC) + 32 + 4
STEPS = 255
HALF_MOST = float(np.finfo(np.float16).max)
LOW, STEP = "\0low", "\0step"  # behind a name: an int8 array's least value and step, [n]


def packed(name: str, values: Array, dtype: str) -> dict[str, Array]:
    """float32 [n, ...] -> the arrays that are kept. Values are finite; for float16 within its range."""
    if dtype != "int8":
        return {name: values.astype(np.dtype(dtype).newbyteorder("<"))}
    flat = values.reshape(len(values), -1).astype(np.float64)
    low = flat.min(1).astype(np.float32)
    step = ((flat.max(1) - low) / STEPS).astype(np.float32)
    wide = np.where(step > 0, step, 1).astype(np.float64)
    whole = np.rint((flat - low[:, None]) / wide[:, None]).clip(0, STEPS).astype(np.uint8)
    return {name: whole.reshape(values.shape), f"{name}{LOW}": low.astype("<f4"), f"{name}{STEP}": step.astype("<f4")}


def unpacked(name: str, arrays: Mapping[str, Array], rows: Any = slice(None)) -> Array:
    """The values of ``rows``, float32."""
    kept: Array = arrays[name][rows]
    if f"{name}{LOW}" not in arrays:
        return np.asarray(kept, np.float32)
    low, step = (arrays[f"{name}{end}"][rows].reshape(-1, *(1,) * (kept.ndim - 1)) for end in (LOW, STEP))
    return np.asarray(low.astype(np.float64) + kept * step.astype(np.float64), np.float32)


def bound(values: Array, dtype: str) -> Array:
    """What :func:`unpacked` may be off by at most, by value; of the formulas above."""
    size = np.abs(values.astype(np.float64))
    if dtype == "float32":
        return np.zeros_like(size)
    if dtype == "float16":
        return np.maximum(2.0**-11 * size, 2.0**-25)
    flat = values.reshape(len(values), -1).astype(np.float64)
    apart = (flat.max(1) - flat.min(1)) / (2 * STEPS) + np.maximum(2.0**-22 * np.abs(flat).max(1), 2.0**-141)
    return np.broadcast_to(apart.reshape(-1, *(1,) * (values.ndim - 1)), values.shape)


def written(header: Mapping[str, Any], arrays: Mapping[str, Array]) -> bytes:
    """The bytes of a file; header: what it is to be found by."""
    kinds = [{"name": n, "dtype": a.dtype.str, "shape": list(a.shape)} for n, a in arrays.items()]
    text = json.dumps({**header, "arrays": kinds}, sort_keys=True).encode()
    body = len(text).to_bytes(4, "little") + text + b"".join(a.tobytes() for a in arrays.values())
    return MAGIC + hashlib.sha256(body).digest() + body


def read(data: Any, header: Mapping[str, Any], expected: Mapping[str, tuple[str, tuple[int, ...]]]) -> dict[str, Array]:
    """The arrays in ``data`` (bytes of any buffer, which they then look into). expected: name -> type and shape.

    Raises ``ValueError`` where they are damaged, or not those of ``header``.
    """
    view = memoryview(data)
    if bytes(view[: len(MAGIC)]) != MAGIC or len(view) < HEAD:
        raise ValueError("no file of a teacher's answers")
    if hashlib.sha256(view[HEAD - 4 :]).digest() != bytes(view[len(MAGIC) : len(MAGIC) + 32]):
        raise ValueError("damaged")
    length = int.from_bytes(view[HEAD - 4 : HEAD], "little")
    found = json.loads(bytes(view[HEAD : HEAD + length]))
    kinds = [{"name": n, "dtype": d, "shape": list(s)} for n, (d, s) in expected.items()]
    if found != {**header, "arrays": kinds}:
        raise ValueError("of another cache")
    arrays, at = {}, HEAD + length
    for name, (dtype, shape) in expected.items():
        count = int(np.prod(shape, dtype=np.int64))
        arrays[name] = np.frombuffer(view, dtype, count, at).reshape(shape)
        at += arrays[name].nbytes
    if at != len(view):
        raise ValueError("of another length")
    return arrays
