"""The model, the link and the cloud that the hand calculations are about, in round numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from selvedge.advising import (
    Board,
    Cloud,
    Costs,
    Cut,
    Data,
    Learning,
    Link,
    Privacy,
    Run,
    Scenario,
    Step,
    Wants,
)

# 10 MMAC in 0.1 s and 10 mJ; 4,096 numbers cross at the first cut and 512 at the second; a step is 30 MMAC.
COSTS = Costs(
    "net",
    "board",
    Run(10e6, 0.1, 100_000, 200_000, joules=0.01),
    (
        Cut("c1", 4096, 2e6, 0.02, 50_000, 20_000, joules=0.002),
        Cut("c2", 512, 6e6, 0.06, 60_000, 80_000, joules=0.006),
    ),
    Step(30e6, 0.3, 300_000, 210_000, 50_000, joules=0.03),
    ram_bytes=400_000,
    flash_bytes=1_000_000,
    model_bytes=180_000,
)
# 100 kB/s both ways, 50 ms round trip, 5 uJ a byte up and 1 uJ down, free.
LINK = Link(100_000, 100_000, round_trip_s=0.05, up_j_per_byte=5e-6, down_j_per_byte=1e-6)
# A prediction of 10 MMAC takes 10e6 / (1e12 x 0.5) = 2e-5 s there.
CLOUD = Cloud(macs_per_s=1e12, utilisation=0.5)
DATA = Data(1000, 10_000)
PARTS = {"data": Data, "privacy": Privacy, "link": Link, "wants": Wants, "learning": Learning, "cloud": Cloud,
         "board": Board}  # fmt: skip


def scenario(**given: Any) -> Scenario:
    """The base with other fields: ``link_price_per_mb=2`` is of the link, ``fleet=5`` the scenario's own."""
    made = Scenario(DATA, LINK, cloud=CLOUD)
    own: dict[str, Any] = {}
    parts: dict[str, dict[str, Any]] = {}
    for key, value in given.items():
        part, _, name = key.partition("_")
        if part in PARTS:
            parts.setdefault(part, {})[name] = value
        else:
            own[key] = value
    changed = {part: replace(getattr(made, part), **fields) for part, fields in parts.items()}
    return replace(made, **changed, **own)


def costs(**given: Any) -> Costs:
    return replace(COSTS, **given)
