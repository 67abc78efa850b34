"""Epsilon as it is claimed: beside opacus' accountant over a grid, and beside an attacker who looks for a canary."""

from __future__ import annotations

import itertools
import json
import random
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from selvedge.artifact import files
from selvedge.federate.privacy.accountant import Accountant, Release

from .private.audit import audit

RATES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 0.6, 1.0)
NOISES = (0.5, 0.7, 1.0, 1.5, 2.5, 4.0, 8.0)
STEPS = (1, 10, 100, 1000, 10_000)
DELTAS = (1e-5, 1e-6, 1e-7)
APART = 1e-3  # of epsilon, at most
RUNS = 200
AGAIN = 100
# (unit, noise that is claimed, what there is of it): all of it, and less, which the audit is to find.
ROWS = tuple((unit, *of) for unit in ("device", "example") for of in ((4.0, 1.0), (4.0, 0.25), (4.0, 0.0)))
KEPT = Path(__file__).parents[1] / "build" / "prove_privacy"


def prove(digest: str) -> dict[str, Any]:
    """As plain data. Raises ``AssertionError`` where epsilon is not opacus', where an audit refutes it, and where an
    audit does not refute it though the noise is off or a quarter of what is claimed."""
    apart = beside_opacus(list(itertools.product(RATES, NOISES)))
    rows = []
    for number, row in enumerate(ROWS):
        file = KEPT / digest[:16] / f"{number}.json"
        if not file.exists():
            found = audited(row, RUNS)
            file.parent.mkdir(parents=True, exist_ok=True)
            files.write(file, json.dumps(found).encode())
        rows.append(json.loads(file.read_text()))
    return {"grid": len(RATES) * len(NOISES) * len(STEPS) * len(DELTAS), "apart": apart, "audits": rows,
            "about": {"seconds": round(sum(row["seconds"] for row in rows))}}  # fmt: skip


def again(figures: Mapping[str, Any], digest: str) -> tuple[int, str]:
    """A tenth of the grid, and half of the runs of each audit that so few can tell."""
    draw = random.Random(digest)
    pairs = list(itertools.product(RATES, NOISES))
    apart = beside_opacus(draw.sample(pairs, len(pairs) // 10))
    rows = [audited(row, AGAIN) for row in ROWS if row[2] in (0.0, 1.0)]
    return len(rows) * AGAIN, f"opacus within {apart:.1e}, {len(rows)} audits"


def beside_opacus(pairs: list[tuple[float, float]]) -> float:
    """The largest difference in epsilon."""
    from opacus.accountants import RDPAccountant
    from opacus.accountants.analysis import rdp

    orders, worst = RDPAccountant.DEFAULT_ALPHAS, 0.0
    for rate, noise in pairs:
        # What its accountant does at each call, once.
        one = rdp.compute_rdp(q=rate, noise_multiplier=noise, steps=1, orders=orders)
        for steps, delta in itertools.product(STEPS, DELTAS):
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Optimal order is the")
                theirs = float(rdp.get_privacy_spent(orders=orders, rdp=one * steps, delta=delta)[0])
            ours = Accountant([(Release(noise, rate), steps)]).epsilon(delta, orders)
            worst = max(worst, abs(ours - theirs))
            assert abs(ours - theirs) <= APART, f"rate {rate}, noise {noise}, {steps} steps: {ours} beside {theirs}"
    return worst


def audited(row: tuple[str, float, float], runs: int) -> dict[str, Any]:
    unit, noise, scale = row
    found = audit(unit, runs, scale, noise)
    told = f"{unit}, noise {noise:g}, of it {scale:g}: claimed {found['claimed']}, {found}"
    if scale == 1:
        assert max(found["lowest"], found["gaussian"]) <= found["claimed"], f"refuted: {told}"
    else:
        least = found["gaussian"] if scale else found["lowest"]
        assert least > found["claimed"], f"not seen: {told}"
    return found
