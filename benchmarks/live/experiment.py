"""A case is a recipe, a seed and a person; a summary is of all of them."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from .habits import habits
from .people import RECIPES
from .ways import WAYS, ways


def case(name: str, seed: int, number: int) -> dict[str, Any]:
    """Every way for one person, as plain data; "right" and "clear": a bit a test sample, in base64.
    "seconds": of the processor."""
    torch.set_num_threads(1)
    start, recipe = time.process_time(), RECIPES[name]
    person = recipe.person(number, seed, False)
    rows = [{"way": o.way, "right": _bits(o.right), **o.figures} for o in ways(recipe, person, seed)]
    return {
        "recipe": name, "seed": seed, "person": number, "habits": habits(f"personal.{name}"),
        "own": len(person.own[1]), "tests": len(person.test[1]), "clear": _bits(person.clear), "rows": rows,
        "seconds": round(time.process_time() - start, 1),
    }  # fmt: skip


def right(case: Mapping[str, Any], way: str, all_of_them: bool = False) -> np.ndarray:
    """bool, of each test sample that is clear; or of all, transitions included."""
    row = next(r for r in case["rows"] if r["way"] == way)
    found = _told(row["right"], case["tests"])
    return found if all_of_them else found[_told(case["clear"], case["tests"])]


def summary(cases: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Recipe -> way -> accuracy: "mean" over people of their means over seeds, "worst" of the people, "spread": the
    standard deviation over seeds of the mean over people; "all": the mean, transitions included; and of what learns:
    bytes, and the most that anyone "lost" to frozen, in test samples."""
    made: dict[str, Any] = {}
    for name in RECIPES:
        own = [c for c in cases if c["recipe"] == name]
        if not own:
            continue
        if any(c["habits"] != own[0]["habits"] for c in own):
            raise ValueError(f"{name}: cases of several hyper-parameters: remove those of the old ones")
        seeds, people = (sorted({c[k] for c in own}) for k in ("seed", "person"))
        found: dict[str, Any] = {"seeds": len(seeds), "people": len(people), "cases": len(own), "ways": {}}
        for way in WAYS:
            each = {(c["seed"], c["person"]): float(right(c, way).mean()) for c in own}
            by_person = [np.mean([v for (_, p), v in each.items() if p == person]) for person in people]
            by_seed = [np.mean([v for (s, _), v in each.items() if s == seed]) for seed in seeds]
            row: dict[str, Any] = {
                "mean": float(np.mean(by_person)), "worst": float(min(by_person)),
                "spread": float(np.std(by_seed, ddof=1)) if len(seeds) > 1 else None,
            }  # fmt: skip
            row["all"] = float(np.mean([np.mean([right(c, way, True).mean() for c in own if c["person"] == person])
                                        for person in people]))  # fmt: skip
            told = [r for c in own for r in c["rows"] if r["way"] == way]
            for key in ("arena", "memory"):
                if any(key in r for r in told):
                    row[key] = max(r.get(key, 0) for r in told)
            row["lost"] = max(int(right(c, "frozen").sum()) - int(right(c, way).sum()) for c in own)
            if "learnt" in told[0]:
                row["learnt"] = float(np.mean([r["learnt"] for r in told]))
                row["others"] = float(np.mean([r["others"] or 0.0 for r in told]))
            found["ways"][way] = row
        made[name] = found
    return made


def _bits(each: np.ndarray) -> str:
    return base64.b64encode(np.packbits(each).tobytes()).decode()


def _told(bits: str, count: int) -> np.ndarray:
    return np.unpackbits(np.frombuffer(base64.b64decode(bits), np.uint8), count=count).astype(bool)
