"""Models and graphs drawn by lot, and PyTorch's own samples of its operators: right results, in the planned bytes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from .proof import Proof
from .sources import ELSEWHERE, SRC
from .tested import counted

PARTS = "test_parts_of_random_models_learn_as_in_pytorch_within_their_arena"
CHANGES = "test_every_proposed_change_fits_when_applied"

RANDOM_MODELS: Mapping[str, Proof] = {
    "random models, interpreter": Proof(
        partial(counted, "tests/capture/test_random_models.py", 400),
        (
            "src/selvedge/ir",
            "src/selvedge/capture",
            "src/selvedge/artifact",
            "tests/models.py",
            "tests/capture/parity.py",
            "tests/capture/test_random_models.py",
        ),
    ),
    "operators on PyTorch's own samples": Proof(
        partial(counted, "tests/capture/test_operator_database.py", 0),
        (
            "src/selvedge/ir",
            "src/selvedge/capture",
            "src/selvedge/artifact",
            "tests/capture/database.py",
            "tests/capture/test_operator_database.py",
            "tests/capture/parity.py",
        ),
    ),
    "random models, native": Proof(
        partial(counted, "tests/make/test_random_models_native.py", 300),
        (*SRC, "native", "tests/models.py", "tests/oracle.py", "tests/make/test_random_models_native.py"),
        without=ELSEWHERE,
    ),
    "parts of random models, native": Proof(
        partial(counted, f"tests/make/test_parts.py::{PARTS}", 100),
        (*SRC, "native", "tests/models.py", "tests/oracle.py", "tests/make/test_parts.py"),
        without=ELSEWHERE,
    ),
    "changes that a refusal proposes": Proof(
        partial(counted, f"tests/make/test_change.py::{CHANGES}", 300),
        (*SRC, "tests/models.py", "tests/make/test_change.py"),
    ),
    "random models in fewer bytes": Proof(
        partial(counted, "tests/make/test_trade.py", 300),
        (*SRC, "native", "tests/models.py", "tests/oracle.py", "tests/make/test_trade.py"),
    ),
    "small steps against an exhaustive search": Proof(
        partial(counted, "tests/planning/saving/test_descend.py", 300),
        ("src/selvedge/ir", "src/selvedge/planning", "tests/planning/saving"),
    ),
}
