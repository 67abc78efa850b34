"""What a device learns, and what a kill leaves of it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from .. import again, programs
from .proof import Proof
from .sources import ELSEWHERE, SRC
from .tested import counted


def _demo() -> dict[str, Any]:
    from ..prove_demo import prove

    return prove()


def _auto() -> dict[str, Any]:
    from ..prove_auto import prove

    return prove()


def _personal() -> dict[str, Any]:
    from ..prove_personal import prove

    return prove(LEARNING["a character model's ten owners"].digest())


LEARNING: Mapping[str, Proof] = {
    "demo, five seeds": Proof(
        _demo,
        (
            *SRC,
            "native",
            "src/selvedge/learn/adapt.py",
            "src/selvedge/learn/draws.py",
            "src/selvedge/learn/memory",
            "src/selvedge/face/demo",
            "benchmarks/prove_demo.py",
        ),
    ),
    "what to update, four transfers": Proof(
        _auto,
        (*SRC, "native", "src/selvedge/learn/metrics.py", "benchmarks/auto", "benchmarks/prove_auto.py"),
        without=ELSEWHERE,
        again=again.transfers,
    ),
    "a character model's ten owners": Proof(
        _personal,
        (
            "src/selvedge/artifact",
            "src/selvedge/make/compile.py",
            "src/selvedge/make/state.py",
            "src/selvedge/run",
            "src/selvedge/zoo/char_gru.py",
            "benchmarks/auto/sources.py",
            "benchmarks/personal",
            "benchmarks/prove_personal.py",
        ),
        programs=programs.personal,
        again=again.personal,
    ),
    "a learner killed 1,000 times": Proof(
        partial(counted, "tests/learn/test_kill_live.py", 1000),
        (
            "src/selvedge/artifact",
            "src/selvedge/learn",
            "src/selvedge/run",
            "benchmarks/kill_live.py",
            "tests/learn/test_kill_live.py",
        ),
    ),
}
