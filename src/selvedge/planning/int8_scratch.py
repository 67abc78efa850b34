"""Scratch of the int8 kernels: facts about ``native/int8_*.h``, shared by the planner and its checker."""

from __future__ import annotations

from collections.abc import Mapping

# SV_INT8_PANEL, SV_INT8_PIXELS, SV_INT8_RUN and SV_INT8_SHORT in native/int8_tile.h
INT8_PANEL, INT8_PIXELS, INT8_RUN, INT8_SHORT = 8, 6, 24, 128
INT8_PACKED = ("int8_conv2d", "int8_linear")
INT8_IN_SCRATCH = (*INT8_PACKED, "int8_depthwise")
# SV_INT8_CHANNELS, SV_INT8_DOWN, SV_INT8_WEIGHTS and SV_INT8_SLOTS in native/int8_depthwise.h
INT8_CHANNELS, INT8_DOWN, INT8_WEIGHTS, INT8_SLOTS = 16, 4, 32, 16


def int8_scratch(family: str, params: Mapping[str, int], lanes: int) -> int:
    """Bytes of scratch for one call of one of :data:`INT8_IN_SCRATCH` on a machine of ``lanes`` lanes."""
    if family in INT8_PACKED:
        return _taps(params)
    return _ring(params) if lanes >= INT8_PANEL and not params["wide"] else 0  # AVX2, or wider


def _taps(p: Mapping[str, int]) -> int:
    """Bytes of taps (sv_int8_scratch): the rows that a window spans, a run of pixels, or the windows of some."""
    if p["dw"] == 1 and p["kh"] * p["kw"] > 1:
        columns = (p["ow"] - 1) * p["sw"] + p["kw"]
        return 2 * _line(columns * p["c"]) * ((p["kh"] - 1) * p["dh"] + 1)
    taps = p["kh"] * 2 * int8_pairs(p)
    most = INT8_PIXELS if taps > INT8_SHORT else INT8_RUN
    most = min(most, p["n"] * p["oh"] * p["ow"])
    steps = p["kh"] * p["kw"] * p["sh"] * p["sw"]
    if steps == 1 and p["c"] % 2 == 0 and (p["oh"], p["ow"]) == (p["h"], p["w"]):
        return 2 * _line(most * p["c"])
    return 2 * _line(taps) * most


def _ring(p: Mapping[str, int]) -> int:
    """Bytes of the ring of rows in pairs (native/int8_depthwise.h): columns of pairs of int16 of up to INT8_CHANNELS
    channels. 0 where a window is above the bounds of the fast kernel."""
    channels = INT8_CHANNELS if p["c"] >= INT8_CHANNELS else p["c"] // INT8_PANEL * INT8_PANEL
    columns = (p["ow"] - 1) * p["sw"] + (p["kw"] - 1) * p["dw"] + 1
    down = (p["kh"] + 1) // 2
    slots = (down - 1) * 2 * p["dh"] + 1
    fits = down <= INT8_DOWN and down * p["kw"] <= INT8_WEIGHTS and slots <= INT8_SLOTS
    return 4 * channels * columns * slots if fits else 0


def int8_pairs(p: Mapping[str, int]) -> int:
    """Of products, in one row of a window (sv_int8_pairs)."""
    return (p["kw"] * p["c"] + 1) // 2


def _line(count: int) -> int:
    """int16 that a line of ``count`` takes (sv_line)."""
    return (count + 30) // 16 * 16
