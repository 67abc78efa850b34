"""A step of known networks: its gradients, and how few bytes it takes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from .. import again
from .proof import Proof
from .sources import ELSEWHERE, SRC
from .tested import counted


def _state() -> dict[str, Any]:
    from ..prove_state import prove

    return prove()


def _poet() -> dict[str, Any]:
    from ..prove_poet import prove

    return prove()


def _lighter() -> dict[str, Any]:
    from ..prove_lighter import prove

    return prove()


def _zoo_bounds() -> dict[str, Any]:
    from ..prove_zoo import prove

    return prove()


def _memory() -> dict[str, Any]:
    from ..prove_memory import prove

    return prove(STEPS["memory of every zoo network, with peers"].digest())


STEPS: Mapping[str, Proof] = {
    "zoo gradients, and twenty steps in double": Proof(
        partial(counted, "tests/make/test_gradients.py", 1),
        (*SRC, "native", "src/selvedge/zoo", "tests/oracle.py", "tests/make/test_gradients.py"),
        without=ELSEWHERE,
    ),
    "the zoo's networks at full width": Proof(
        partial(counted, "tests/zoo/test_gradients.py", 1),
        (*SRC, "native", "src/selvedge/zoo", "tests/oracle.py", "tests/models.py", "tests/zoo/test_gradients.py"),
        without=ELSEWHERE,
    ),
    "bytes of accumulation, clipping and state": Proof(
        partial(counted, "tests/make/test_optimizer_bytes.py", 40),
        (*SRC, "native", "tests/oracle.py", "tests/make/test_memory.py", "tests/make/test_optimizer_bytes.py"),
        without=ELSEWHERE,
    ),
    "state in fewer bytes, five seeds": Proof(
        _state,
        (*SRC, "native", "src/selvedge/face/demo", "benchmarks/optimizer_state.py", "benchmarks/prove_state.py"),
        without=ELSEWHERE,
    ),
    "POET's case, executed": Proof(
        _poet, (*SRC, "native", "benchmarks/memory.py", "benchmarks/poet.py", "benchmarks/prove_poet.py")
    ),
    "a step in half the bytes": Proof(
        _lighter,
        (*SRC, "native", "src/selvedge/zoo", "benchmarks/memory.py", "benchmarks/prove_lighter.py"),
        without=ELSEWHERE,
        again=again.lighter,
    ),
    "every zoo model at its bound": Proof(
        _zoo_bounds,
        (*SRC, "src/selvedge/zoo", "benchmarks/prove_zoo.py"),
        without=ELSEWHERE,
        again=again.bounds,
    ),
    "memory of every zoo network, with peers": Proof(
        _memory,
        (
            *SRC,
            "native",
            "src/selvedge/zoo",
            "benchmarks/memory.py",
            "benchmarks/peer_memory.py",
            "benchmarks/peers/executorch.py",
            "benchmarks/peers/pytorch.py",
            "benchmarks/prove_memory.py",
            "benchmarks/work.py",
            "benchmarks/zoo_memory.py",
        ),
        without=ELSEWHERE,
        again=again.memory,
    ),
    "the backward by channels": Proof(
        partial(counted, "tests/planning/test_channels.py::test_random_networks_learn_the_same", 300),
        ("src/selvedge/ir", "src/selvedge/capture", "src/selvedge/planning", "tests/planning/test_channels.py"),
    ),
}
