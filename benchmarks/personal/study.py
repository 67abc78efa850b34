"""One seed is a public model, a retrained one, and ten owners; a summary is of all seeds; a table is for people."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from .speakers import plays
from .ways import bits, guessing, in_pytorch, on_device, predictor, reading, trained

BASE = "as it came"
RETRAINED = "retrained with everyone's text"
TUNED = "PyTorch, Adam, everything"
READING = "as it reads, once"
KINDS = ("best", "last")


def seed(number: int, owners: int | None = None, show: bool = True) -> dict[str, Any]:
    """Every way for every owner, as plain data. ``owners``: the first few only."""
    torch.set_num_threads(1)
    start, data = time.perf_counter(), plays()
    model = trained(data.public, data.public_validation, data.symbols, number)
    # As if the text had left its owners: everything but what judges.
    whole = trained(
        np.concatenate([data.public, *(o.train for o in data.owners)]),
        np.concatenate([data.public_validation, *(o.validation for o in data.owners)]),
        data.symbols,
        number,
    )
    rows = []
    for owner in data.owners[:owners]:
        before = bits(predictor(model), owner.test)
        row: dict[str, Any] = {
            "owner": owner.name,
            "characters": [len(owner.train), len(owner.validation), len(owner.test)],
            "guessing": guessing(data.public, owner.test, data.symbols),
            BASE: before,
            RETRAINED: bits(predictor(whole), owner.test),
            TUNED: asdict(in_pytorch(model, owner, number)),
        }
        for update, outcome in on_device(model, owner, number):
            row[update] = asdict(outcome)
        for update, outcome in reading(model, owner):
            row[f"{READING}, {update}"] = asdict(outcome)
        rows.append(row)
        if show:
            print(f"seed {number}, {line(row)}", flush=True)
    return {"seed": number, "rows": rows, "seconds": time.perf_counter() - start}


def line(row: dict[str, Any]) -> str:
    ways = ", ".join(f"{name} {_value(row[name], 'best'):.3f}" for name in row if name not in ("owner", "characters"))
    return f"{row['owner']}: {ways}"


def summary(seeds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Bits a character of every way, mean and standard deviation over owners (each the mean of its seeds); what each
    takes off the model as it came, with the 95 % interval of a bootstrap over owners and seeds; who gains."""
    ways = [name for name in seeds[0]["rows"][0] if name not in ("owner", "characters")]
    made: dict[str, Any] = {"seeds": len(seeds), "owners": len(seeds[0]["rows"]), "ways": {}}
    base = _table(seeds, BASE, "best")
    for name in ways:
        made["ways"][name] = {}
        for kind in KINDS:
            found = _table(seeds, name, kind)
            gain = base - found
            made["ways"][name][kind] = {
                "bits": _spread(found.mean(0)),
                "gain": round(float(gain.mean()), 4),
                "interval": _bootstrap(gain),
                "owners_that_gain": int((gain.mean(0) > 0).sum()),
            }
        arena = {r[name]["arena"] for s in seeds for r in s["rows"] if isinstance(r[name], dict)} - {None}
        made["ways"][name]["arena"] = max(arena, default=None)
    return made


def table(made: dict[str, Any]) -> str:
    """Markdown."""
    lines = [
        "| way | arena | best epoch, bits | last epoch, bits | less than as it came, 95 % | owners that gain |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, way in made["ways"].items():
        best, last = way["best"], way["last"]
        low, high = best["interval"]
        arena = "" if way["arena"] is None else f"{way['arena']:,}"
        lines.append(
            f"| {name} | {arena} | {best['bits'][0]:.3f} ± {best['bits'][1]:.3f} | {last['bits'][0]:.3f} ± "
            f"{last['bits'][1]:.3f} | {best['gain']:+.3f} ({low:+.3f} to {high:+.3f}) | "
            f"{best['owners_that_gain']} of {made['owners']} |"
        )
    return "\n".join(lines)


def _value(cell: Any, kind: str) -> float:
    return float(cell[kind] if isinstance(cell, dict) else cell)


def _table(seeds: Sequence[dict[str, Any]], name: str, kind: str) -> np.ndarray:
    """[seeds, owners]"""
    return np.array([[_value(row[name], kind) for row in s["rows"]] for s in seeds])


def _spread(values: np.ndarray) -> list[float]:
    return [round(float(values.mean()), 4), round(float(values.std(ddof=1)) if len(values) > 1 else 0.0, 4)]


def _bootstrap(gain: np.ndarray, draws: int = 10_000) -> list[float]:
    rng = np.random.default_rng(0)
    n_seeds, n_owners = gain.shape
    means = [
        gain[np.ix_(rng.integers(0, n_seeds, n_seeds), rng.integers(0, n_owners, n_owners))].mean()
        for _ in range(draws)
    ]
    return [round(float(q), 4) for q in np.quantile(means, [0.025, 0.975])]
