"""Networks in int8."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from .. import again
from .proof import Proof
from .sources import APART, ELSEWHERE, SRC
from .tested import counted


def _quantised() -> dict[str, Any]:
    from ..prove_quantise import prove

    return prove(QUANTISED["quantised networks, five seeds"].digest())


QUANTISED: Mapping[str, Proof] = {
    "int8 networks of the zoo, every tensor": Proof(
        partial(counted, "tests/formats/tflite/test_zoo_native.py", 1),
        (
            *SRC,
            "native",
            "src/selvedge/compressing/litert.py",
            "src/selvedge/formats/tflite",
            "src/selvedge/zoo",
            "tests/formats/tflite/litert.py",
            "tests/formats/tflite/test_zoo_native.py",
        ),
        without=ELSEWHERE,
        int8=True,
    ),
    "quantised networks, five seeds": Proof(
        _quantised,
        (
            "benchmarks/answers.py",
            "benchmarks/auto/nets.py",
            "benchmarks/auto/sources.py",
            "benchmarks/auto/statistics.py",
            "benchmarks/prove_quantise.py",
            "benchmarks/quantise/experiment.py",
            "benchmarks/quantise/runtimes.py",
            "benchmarks/quantise/tasks.py",
            "benchmarks/quantise/ways.py",
            *APART,
            "native",
            "src/selvedge/emitting",
            "src/selvedge/formats/onnx",
            *(
                f"src/selvedge/compressing/{name}.py"
                for name in (
                    "equalise",
                    "export",
                    "finish",
                    "fold",
                    "layers",
                    "learned",
                    "litert",
                    "mend",
                    "operators",
                    "pt2e",
                    "qat",
                    "quantise",
                    "quantised",
                    "ranges",
                    "samples",
                    "simulate",
                    "watch",
                )
            ),
        ),
        without=("src/selvedge/formats/onnx/folded.py",),  # constants of files that others wrote
        again=again.quantised,
        int8=True,
    ),
}
