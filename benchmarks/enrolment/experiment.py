"""A case is a newcomer and a seed; a summary is of all of a kind."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from benchmarks.live.habits import habits

from .newcomers import FEW, KINDS, VALIDATION
from .ways import MARGIN, WAYS, ways


def case(name: str, seed: int, fold: int) -> dict[str, Any]:
    """Every way for one newcomer, as plain data; "others": a bit a test sample, in base64. "seconds": of the
    processor."""
    assert seed < VALIDATION
    torch.set_num_threads(1)
    start, newcomer = time.process_time(), KINDS[name].newcomer(fold, seed)
    rows = [
        {"way": o.way, "new": o.new, "others": base64.b64encode(np.packbits(o.others).tobytes()).decode(), **o.figures}
        for o in ways(name, fold, seed)
    ]
    return {
        "kind": name, "seed": seed, "fold": fold, "newcomer": newcomer.name, "habits": habits("enrolment"),
        "margin": MARGIN, "examples": FEW, "known": newcomer.known, "judges": len(newcomer.judges[1]),
        "asked": len(newcomer.asked), "tests": len(newcomer.test[1]), "rows": rows,
        "seconds": round(time.process_time() - start, 1),
    }  # fmt: skip


def row(case: Mapping[str, Any], way: str) -> dict[str, Any]:
    found: dict[str, Any] = next(r for r in case["rows"] if r["way"] == way)
    return found


def others(case: Mapping[str, Any], way: str) -> float:
    """The share of the known classes' test samples that is right."""
    bits = np.frombuffer(base64.b64decode(row(case, way)["others"]), np.uint8)
    return float(np.unpackbits(bits, count=case["tests"]).mean())


def summary(cases: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Kind -> way: "new", the mean over cases of the share of new samples told, its standard deviation over seeds of
    their means "spread", and the "worst"; what others "lose" to frozen, in the mean and at "most"; of enrolments
    "accepted", "undone", bytes, and "new" of the accepted ones alone, "kept".

    Raises ``ValueError`` for cases of several settings.
    """
    made: dict[str, dict[str, Any]] = {}
    for name in KINDS:
        own = [c for c in cases if c["kind"] == name]
        if not own:
            continue
        if any((c["habits"], c["margin"]) != (own[0]["habits"], own[0]["margin"]) for c in own):
            raise ValueError(f"{name}: cases of several hyper-parameters: remove those of the old ones")
        seeds = sorted({c["seed"] for c in own})
        found: dict[str, Any] = {"cases": len(own), "seeds": len(seeds), "ways": {}}
        found["known"], found["tests"] = max(c["known"] for c in own), sum(c["tests"] for c in own)
        found["frozen"] = float(np.mean([others(c, "frozen") for c in own]))
        for way in WAYS:
            told = [row(c, way)["new"] / c["asked"] for c in own]
            by_seed = [np.mean([t for t, c in zip(told, own, strict=True) if c["seed"] == seed]) for seed in seeds]
            lose = [others(c, "frozen") - others(c, way) for c in own]
            found["ways"][way] = {
                "new": float(np.mean(told)), "worst": float(min(told)), "lose": float(np.mean(lose)),
                "most": float(max(lose)), "beyond": sum(one > MARGIN for one in lose),
                "spread": float(np.std(by_seed, ddof=1)) if len(seeds) > 1 else None,
            }  # fmt: skip
        enrolled = [row(c, "enrolled") for c in own]
        kept = [r["new"] / c["asked"] for r, c in zip(enrolled, own, strict=True) if r["accepted"]]
        found |= {
            "accepted": sum(r["accepted"] for r in enrolled), "undone": sum(r["undone"] for r in enrolled),
            "kept": float(np.mean(kept)) if kept else None,
            **{key: max(r[key] for r in enrolled) for key in ("ram", "arena", "flash")},
        }  # fmt: skip
        made[name] = found
    return made
