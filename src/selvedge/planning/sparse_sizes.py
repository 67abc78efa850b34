"""Facts about ``native/sparse*.h``, shared by the planner and its checker: tiles and scratch."""

from __future__ import annotations

from collections.abc import Mapping

# SV_SPARSE_ROWS, SV_SPARSE_VECTORS, SV_SPARSE_LANES
SPARSE_ROWS, SPARSE_VECTORS, SPARSE_LANES = 4, 6, 8
SPARSE = ("sparse_rows", "sparse_pixels", "sparse_lanes")


def is_flat(p: Mapping[str, int]) -> bool:
    """Are the windows the pixels themselves (sv_sparse_is_flat)?"""
    ones = all(p[field] == 1 for field in ("kh", "kw", "sh", "sw"))
    return ones and p["ph"] == p["pw"] == 0 and (p["oh"], p["ow"]) == (p["h"], p["w"])


def sparse_depth(p: Mapping[str, int]) -> int:
    """Inputs of one window."""
    return p["kh"] * p["kw"] * p["c"]


def sparse_vectors(p: Mapping[str, int], lanes: int) -> int:
    """Vectors of pixels in a tile, at most (sv_sparse_vectors)."""
    return min(SPARSE_VECTORS, -(-p["n"] * p["oh"] * p["ow"] // lanes))


def sparse_scratch(family: str, p: Mapping[str, int], lanes: int) -> int:
    """Reals of scratch for one call."""
    if family == "sparse_pixels":
        return (sparse_depth(p) + lanes) * sparse_vectors(p, lanes) * lanes
    if is_flat(p):
        return 0
    return sparse_depth(p) * (SPARSE_ROWS if family == "sparse_rows" else 1)
