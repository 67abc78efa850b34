"""Scratch that native kernels ask for: facts about ``native/``, shared by the planner and its checker."""

from __future__ import annotations

from collections.abc import Mapping

from .int8_scratch import INT8_IN_SCRATCH, int8_scratch
from .sparse_sizes import SPARSE, sparse_scratch

TRANSPOSED = 16  # SV_TRANSPOSED in native/conv.h
TRANSPOSED_REALS = 4096  # SV_TRANSPOSED_REALS
# States of one sample that a cell works in (native/recurrent.h).
STATES = {"gru": 4, "gru_grad": 1, "lstm": 4}


def scratch_dtype(family: str, real: str) -> str:
    """The type that the scratch of ``family`` is counted in: the real type, or bytes."""
    return "int8" if family in INT8_IN_SCRATCH else real


def native_scratch(family: str, params: Mapping[str, int], lanes: int) -> int:
    """Numbers (:func:`scratch_dtype`) of scratch for one call on a machine of ``lanes`` lanes; of a convolution's input
    gradient the twin of ``sv_conv2d_input_grad_scratch``."""
    if family in INT8_IN_SCRATCH:
        return int8_scratch(family, params, lanes)
    if family in SPARSE:
        return sparse_scratch(family, params, lanes)
    if family in STATES:
        return STATES[family] * params["hidden"]
    if family == "ctc":
        return (params["steps"] + 1) * (2 * params["longest"] + 1) + params["steps"]
    if family not in ("conv2d_input_grad", "conv2d_input_grad_onto"):
        return 0
    kh, kw = params["kh"], params["kw"]
    k = params["k"] // params["groups"]
    pixels = params["n"] * params["h"] * params["w"]
    if lanes == 1 or pixels <= 4 or 28 * pixels <= kh * kw * k:
        return 0
    row = kw * k * min(params["c"] // params["groups"], TRANSPOSED)
    return min(kh, max(1, TRANSPOSED_REALS // row)) * row
