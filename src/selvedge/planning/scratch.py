"""Scratch that native kernels ask for: facts about ``native/``, shared by the planner and its checker."""

from __future__ import annotations

from collections.abc import Mapping

TRANSPOSED = 16  # SV_TRANSPOSED in native/conv.h
TRANSPOSED_REALS = 4096  # SV_TRANSPOSED_REALS
# States of one sample that a cell works in (native/recurrent.h).
STATES = {"gru": 4, "gru_grad": 1, "lstm": 4}


def native_scratch(family: str, params: Mapping[str, int], lanes: int) -> int:
    """Reals of scratch for one call on a machine of ``lanes`` lanes; of a convolution's input gradient the twin of
    ``sv_conv2d_input_grad_scratch``."""
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
