"""Constants of an ONNX file: every length is checked before a byte is read."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import onnx

from selvedge.errors import InvalidInput, NotSupported

# Elements of one tensor, and axes, as of a .tflite file.
MOST_ELEMENTS = 2**31 - 1
MOST_RANK = 8

P = onnx.TensorProto
DTYPES: dict[int, str] = {
    P.FLOAT: "float32", P.UINT8: "uint8", P.INT8: "int8", P.INT32: "int32", P.INT64: "int64", P.BOOL: "bool",
}  # fmt: skip
"""Element types that are read, by ONNX's number."""

# Where a type's elements lie that are not raw bytes.
FIELDS = {
    "float32": "float_data", "int64": "int64_data", "uint8": "int32_data", "int8": "int32_data",
    "int32": "int32_data", "bool": "int32_data",
}  # fmt: skip


def text(given: str | bytes) -> str:
    """A string of the file; protobuf gives bytes for one that is no UTF-8."""
    return given if isinstance(given, str) else given.decode("utf-8", "replace")


def printable(given: str | bytes) -> str:
    """A string as a message may hold it."""
    name = text(given)
    return "".join(c if c.isprintable() else "?" for c in name[:80])


def dtype_of(number: int, what: str) -> str:
    """numpy's name of an element type. Raises :class:`NotSupported`."""
    if number not in DTYPES:
        known = P.DataType.Name(number).lower() if number in P.DataType.values() else str(number)
        raise NotSupported(f"onnx type {known}", what, f"use {', '.join(sorted(DTYPES.values()))}")
    return DTYPES[number]


def checked_shape(shape: tuple[int, ...], what: str, least: int = 1) -> tuple[int, ...]:
    """Raises :class:`InvalidInput`."""
    if len(shape) > MOST_RANK or any(n < least for n in shape) or math.prod(shape) > MOST_ELEMENTS:
        told = f"up to {MOST_RANK} extents >= {least}, {MOST_ELEMENTS} elements"
        raise InvalidInput(f"{what} shape", list(shape)[:12], told)
    return shape


def array(tensor: onnx.TensorProto, what: str, folder: Path | None) -> np.ndarray:
    """The elements. ``folder``: that of the file, where external data may lie; None where there is none."""
    dtype = dtype_of(tensor.data_type, what)
    shape = checked_shape(tuple(tensor.dims), what, least=0)
    kind = np.dtype(dtype).newbyteorder("<")
    size = math.prod(shape) * kind.itemsize
    if tensor.HasField("segment"):
        raise NotSupported("a tensor in segments", what, "save it whole")
    if tensor.data_location == P.EXTERNAL:
        raw = _external(tensor, what, folder, size)
    elif tensor.HasField("raw_data"):
        raw = tensor.raw_data
    else:
        return _listed(tensor, what, dtype, shape)
    if len(raw) != size:
        raise InvalidInput(f"{what} data", f"{len(raw)} B", f"{dtype} {list(shape)} is {size} B")
    if dtype == "bool" and size and max(raw) > 1:
        raise InvalidInput(f"{what} data", max(raw), "a bool is 0 or 1")
    return np.frombuffer(raw, kind).astype(dtype, copy=False).reshape(shape)


def _listed(tensor: onnx.TensorProto, what: str, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    given = getattr(tensor, FIELDS[dtype])
    if len(given) != math.prod(shape):
        raise InvalidInput(f"{what} data", f"{len(given)} elements", f"{list(shape)} has {math.prod(shape)}")
    wide = np.array(given, "float32" if dtype == "float32" else "int64")
    found = wide.astype(dtype)
    if dtype != "float32" and (found.astype("int64") != wide).any():
        raise InvalidInput(f"{what} data", int(wide[found.astype("int64") != wide][0]), f"it must be {dtype}")
    return found.reshape(shape)


def _external(tensor: onnx.TensorProto, what: str, folder: Path | None, size: int) -> bytes:
    """From a file beside the model's, of which just ``size`` bytes are read."""
    said = {text(entry.key): text(entry.value) for entry in tensor.external_data}
    name = said.get("location", "")
    if folder is None or name in ("", ".", "..") or Path(name).name != name or "\0" in name or "\\" in name:
        raise InvalidInput(f"{what} data", printable(name), "external data must lie in a file beside the model's")
    numbers = {key: said.get(key, default) for key, default in (("offset", "0"), ("length", str(size)))}
    for key, said_number in numbers.items():
        if not (said_number.isascii() and said_number.isdigit() and len(said_number) < 16):
            raise InvalidInput(f"{what} {key}", printable(said_number), "it must be a number of bytes")
    if int(numbers["length"]) != size:
        raise InvalidInput(f"{what} data", f"{numbers['length']} B", f"its type and shape are {size} B")
    path = folder / name
    try:
        if path.is_symlink() or not path.is_file():
            raise InvalidInput(f"{what} data", str(path), "it must be a regular file beside the model's")
        with path.open("rb") as file:
            file.seek(int(numbers["offset"]))
            data: bytes = file.read(size)
            return data
    except OSError as error:
        raise InvalidInput(f"{what} data", str(path), f"it cannot be read ({error.strerror})") from None
