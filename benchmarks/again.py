"""A tenth of a table, made again after a change: what is exact in its rows must be what is committed."""

from __future__ import annotations

import hashlib
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

SHARE = 10
NEAR = 0.03  # of accuracy
APART, READ = 3, "as it reads, once"  # standard deviations over owners; the study's name of a way
TRADED, MORE = ("lighter", "auto"), 1.02
Figures = Mapping[str, Any]
Found = tuple[int, str]  # how many, and what came of them
T = TypeVar("T")


def drawn(all_of: Sequence[T], digest: str) -> list[T]:
    """A tenth, at least one, in the order given. ``digest`` is of the sources, so that each change draws others."""

    def lot(n: int) -> bytes:
        return hashlib.sha256(f"{digest} {n}".encode()).digest()

    chosen = sorted(range(len(all_of)), key=lot)[: math.ceil(len(all_of) / SHARE)]
    return [all_of[n] for n in sorted(chosen)]


def same(what: str, made: Mapping[str, Any], known: Mapping[str, Any], fields: Sequence[str]) -> None:
    """Raises ``AssertionError`` with the first of ``fields`` that differs."""
    for field in fields:
        assert made[field] == known[field], f"{what}, {field}: {made[field]!r} now, {known[field]!r} as committed"


def memory(figures: Figures, digest: str) -> Found:
    """Our own plans of some networks, planned and measured; a peer is not ours to change. A search of :data:`TRADED`
    plans ends by the clock: they may come out better, or up to :data:`MORE` worse."""
    from .prove_memory import _apart
    from .scratch import scratch
    from .zoo_memory import VARIANTS, ours, wrong

    scratch()
    exact = ("update", "planned", "measured", "persistent", "transient", "bound", "bound_any_order", "proven")
    rows = drawn(figures["rows"], digest)
    for row in rows:
        made = {**row, **_apart(ours, row["model"])}
        for name in VARIANTS:
            what = f"{row['model']}, {name}"
            if "failed" in row[name]:
                same(what, made[name], row[name], ("failed",))
            elif name in TRADED:
                now, known = made[name]["planned"], row[name]["planned"]
                same(what, made[name], {"measured": now}, ("measured",))
                assert now <= MORE * known, f"{what}: {now:,} B now, {known:,} B as committed"
            else:
                same(what, made[name], row[name], exact)
        news = [one for one in wrong(made) if one not in figures["missed"]]
        assert not news, news[0]
    return len(rows), _told("the same bytes", [row["model"] for row in rows])


def masked(figures: Figures, digest: str) -> Found:
    from .prove_masking import SCHEDULES, prove

    found = prove(drawn(range(SCHEDULES), digest))
    return found["examples"], f"{found['done']} came to the exact sum, and the others to none"


def bounds(figures: Figures, digest: str) -> Found:
    from .prove_zoo import row

    rows = drawn(figures["rows"], digest)
    for known in rows:
        same(known["model"], row(known["model"])[0], known, ("worst", "kernels"))
    return len(rows), _told("the same places", [known["model"] for known in rows])


def lighter(figures: Figures, digest: str) -> Found:
    from .prove_lighter import row

    rows = drawn(figures["rows"], digest)
    for known in rows:
        what = f"{known['model']} {known['norms']}"
        made = row(known["model"], known["norms"])
        same(what, made, known, ("plain_transient",))
        now, then = made["transient"], known["transient"]
        assert now <= MORE * then, f"{what}: {now:,} B now, {then:,} B as committed"
    return len(rows), _told("the same bytes", [f"{known['model']} {known['norms']}" for known in rows])


def transfers(figures: Figures, digest: str) -> Found:
    """Cases of one task and one seed: the same layers in the same arena; accuracies within :data:`NEAR`, since they
    come of float32 sums whose last bits are a machine's own."""
    from .auto.experiment import KINDS, case
    from .prove_auto import short

    rows = drawn(figures["cases"], digest)
    with tempfile.TemporaryDirectory(prefix="selvedge-auto-") as folder:
        for known in rows:
            made = short(case(known["task"], known["seed"], Path(folder)))
            for name, policy in known["policies"].items():
                what, now = f"{known['task']}, seed {known['seed']}, {name}", made["policies"][name]
                same(what, now, policy, ("updated", "arena"))
                for kind in KINDS:
                    near = abs(now[kind] - policy[kind]) <= NEAR
                    assert near, f"{what}, {kind}: {now[kind]:.1%} now, {policy[kind]:.1%} as committed"
    return len(rows), _told("the same layers and arenas", [f"{known['task']} seed {known['seed']}" for known in rows])


def quantised(figures: Figures, digest: str) -> Found:
    """Cases of one task, seed and fold; accuracies within :data:`NEAR`, as :func:`transfers` has them."""
    from .prove_quantise import short
    from .quantise.experiment import case

    rows = drawn(figures["cases"], digest)
    names = []
    for known in rows:
        names.append(f"{known['task']} seed {known['seed']} fold {known['fold']}")
        made = short(case(known["task"], known["seed"], known["fold"]))
        for way, right in known["right"].items():
            off = abs(made["right"][way] - right) / known["samples"]
            assert off <= NEAR, f"{names[-1]}, {way}: {made['right'][way]} right now, {right} as committed"
    return len(rows), _told("as many right", names)


def personal(figures: Figures, digest: str) -> Found:
    """One owner, drawn, with the first seed's model: the same arenas, and bits within :data:`APART` deviations of those
    that are committed, over owners. The models that no device holds are not made again."""
    from .personal.speakers import plays
    from .personal.ways import on_device, reading, trained

    data = plays()
    owner = data.owners[int(digest, 16) % len(data.owners)]
    model = trained(data.public, data.public_validation, data.symbols, 0)
    for update, outcome in (*on_device(model, owner, 0), *((f"{READ}, {u}", o) for u, o in reading(model, owner))):
        what, known = f"{owner.name}, {update}", figures["ways"][update]
        assert outcome.arena == known["arena"], f"{what}: {outcome.arena} B now, {known['arena']} B as committed"
        for kind, bits in (("best", outcome.best), ("last", outcome.last)):
            mean, deviation = known[kind]["bits"]
            near = abs(bits - mean) <= APART * deviation
            assert near, f"{what}, {kind}: {bits:.4f} bits now, {mean:.4f} as committed, over all owners"
    return 1, _told("the same arenas, and bits like those of the others", [f"{owner.name} seed 0"])


def tests(test: str, digest: str, run: Callable[[Sequence[str]], str]) -> Found:
    """A tenth of the cases that pytest collects of ``test``, all that CI leaves out among them."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", test],
        env={**os.environ, "SELVEDGE_FULL": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert not done.returncode, f"{test}: {done.stdout[-300:]}{done.stderr[-300:]}"
    chosen = drawn([line for line in done.stdout.splitlines() if "::" in line], digest)
    return len(chosen), run(chosen)


def _told(what: str, names: Sequence[str]) -> str:
    return f"{what} ({', '.join(names)})"
