"""The sources that many proofs are bound to, and those in the same folders that they do not run."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
ROAD = (
    "artifact", "capture", "choose", "device", "emitting", "ir", "make", "planning", "run", "changes.py", "errors.py"
)  # fmt: skip
SRC = tuple(f"src/selvedge/{room}" for room in ROAD)
# What is said of a plan, many plans side by side, the timing of a device, and what is proposed where none fits: a plan
# that fits is made without.
ELSEWHERE = tuple(
    f"src/selvedge/{name}.py"
    for name in (
        "changes", "make/attempts", "make/calibrate", "make/calibrate_fit", "make/calibrate_layers",
        "make/calibrate_program", "make/calibrate_report", "make/calibrate_run", "make/change", "make/daily",
        "make/rule", "make/show", "make/surface", "make/sweep", "make/table", "make/walk", "make/why",
    )
)  # fmt: skip
# Sparse networks, which only predict, what weighs whole networks, and other runtimes: no proof has one.
BESIDE = (
    *(
        f"src/selvedge/{name}"
        for name in (
            "artifact/litert.py", "artifact/signature.py", "artifact/targets.py", "emitting/foreign.py",
            "emitting/litert", "ir/expand.py", "ir/expansions", "make/cut.py", "make/targets",
            "make/learnable_onnx.py", "make/verify.py", "make/verifying", "run/foreign", "run/saving.py",
            "ir/ops/sparse.py", "make/alone.py", "make/begun.py", "make/calibrate_sparse.py", "make/interleaved.py",
            "make/by_target.py",
            "make/measured_network.py", "make/repeated.py", "make/room.py", "make/searching", "make/sparse.py",
            "make/sparse_times.py", "make/store.py", "make/weighing", "planning/sparse.py",
            "planning/sparse_sizes.py",
        )
    ),
    *(f"native/sparse{name}.h" for name in ("", "_lanes", "_pixels")),
)  # fmt: skip
# And int8 networks: only proofs that say so have one. A test sees that a step of floats calls no function of these.
APART = (
    *BESIDE,
    *(
        f"src/selvedge/{name}"
        for name in (
            "capture/lower/quantised.py", "emitting/c/integer_calls.py", "ir/freeze.py", "ir/integer", "ir/joined.py",
            "ir/joining", "ir/ops/integer_convert.py", "ir/ops/integer_convolution.py",
            "ir/ops/integer_elementwise.py", "ir/ops/integer_pooling.py", "ir/ops/integer_softmax.py",
            "make/calibrate_int8.py", "make/captured_network.py", "make/compared.py", "make/inference.py",
            "make/network.py", "make/onnx.py", "planning/int8_scratch.py", "planning/integer.py",
        )
    ),
    *(f"native/int8{name}.h" for name in (
        "", "_avx2", "_bytes", "_conv", "_depthwise", "_elementwise", "_neon", "_pool", "_softmax", "_source", "_taps",
        "_tile",
    )),
)  # fmt: skip
