"""Devices that learn together: under faults, by masked sums, and with a bound on what is told of anyone."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from .. import again
from ..again import Found
from .proof import Proof
from .tested import counted

MASKING = (
    *(
        f"src/selvedge/federate/masking/{name}.py"
        for name in (
            "agreement", "checks", "covering", "demands", "group", "member", "memory", "ring", "sealed", "shares",
            "stream", "terms", "threshold", "wire",
        )
    ),
    "src/selvedge/federate/keys.py",
)  # fmt: skip


def _masked() -> dict[str, Any]:
    from ..prove_masking import prove

    return prove()


def _privacy() -> dict[str, Any]:
    from ..prove_privacy import prove

    return prove(FEDERATED["privacy, beside opacus and audited"].digest())


def _privacy_again(figures: Mapping[str, Any], digest: str) -> Found:
    from ..prove_privacy import again

    return again(figures, digest)


FEDERATED: Mapping[str, Proof] = {
    "federated rounds under mixed faults": Proof(
        partial(counted, "tests/federate/test_chaos.py", 500),
        (
            *(
                f"src/selvedge/federate/{name}"
                for name in (
                    "aggregate",
                    "bodies.py",
                    "client/liar.py",
                    "client/participant.py",
                    "client/store.py",
                    "client/trainer.py",
                    "codec",
                    "coordinator.py",
                    "cover.py",
                    "events.py",
                    "federation.py",
                    "feedback.py",
                    "grid/faults.py",
                    "grid/grid.py",
                    "grid/virtual.py",
                    "keys.py",
                    "layout.py",
                    "local.py",
                    "message.py",
                    "names.py",
                    "refused.py",
                    "roster.py",
                    "server.py",
                    "shown.py",
                    "spill.py",
                    "tally.py",
                )
            ),
            "src/selvedge/artifact/files.py",
            "src/selvedge/artifact/number.py",
            "src/selvedge/learn/draws.py",
            "src/selvedge/learn/journal",
            "src/selvedge/learn/memory/packing.py",
            "tests/federate/ledger.py",
            "tests/federate/test_chaos.py",
            "tests/federate/test_server.py",
            "tests/federate/toward.py",
        ),
    ),
    "masked sums under faults by lot": Proof(_masked, (*MASKING, "benchmarks/prove_masking.py"), again=again.masked),
    "masked sums, any order of events": Proof(
        partial(counted, "tests/federate/masking/test_machine.py", 1000),
        (*MASKING, "tests/federate/masking/company.py", "tests/federate/masking/test_machine.py"),
    ),
    "privacy, beside opacus and audited": Proof(
        _privacy,
        (
            "src/selvedge/federate/aggregate/fixed.py",
            "src/selvedge/federate/client/per_example.py",
            "src/selvedge/federate/client/private.py",
            "src/selvedge/federate/coordinator.py",
            "src/selvedge/federate/privacy",
            "benchmarks/private/audit.py",
            "benchmarks/prove_privacy.py",
        ),
        again=_privacy_again,
    ),
}
