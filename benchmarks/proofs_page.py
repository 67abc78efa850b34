"""What has been proven of this code, for people: ``docs/proofs.md`` out of ``benchmarks/results/proofs.json``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

Figures = Mapping[str, Any]
HEAD = """# What has been proven

`make prove` runs what takes too long for every change: full counts, all seeds. Each proof names the sources that it
speaks of; a test fails when one of them has changed since, and then the figures leave this page until they are seen
again, at least a tenth of their examples or rows. The command writes it from
[`benchmarks/results/proofs.json`](../benchmarks/results/proofs.json).
"""


def page(known: Mapping[str, Figures], names: Iterable[str], why: Mapping[str, str] = MappingProxyType({})) -> str:
    """``known``: the results by name; ``names``: of all proofs, those without a result included, in their order;
    ``why``: some have none."""
    parts = [HEAD, "| proof | count | seconds | result |", "|---|---:|---:|---|"]
    missing = []
    for name in names:
        if name not in known:
            missing.append(name)
            continue
        count, result = SHORT.get(name, _test)(known[name]["figures"])
        if missed := known[name]["figures"].get("missed"):
            result += f"; **missed**: {'; '.join(missed)}"
        if again := known[name].get("again"):
            result += f"; the code changed since, {again['examples']:,} again: {again['result']}"
        parts.append(f"| {name} | {count} | {known[name]['seconds']:,.0f} | {result} |")
    if missing:
        parts += ["", "Not proven on this code:", ""]
        parts += [f"- {name}: {why.get(name, 'not run to the end')}." for name in missing]
    for name, table in TABLES.items():
        if name in known:
            parts += ["", f"## {name[0].upper()}{name[1:]}", "", *table(known[name]["figures"])]
    return "\n".join(parts) + "\n"


def _test(figures: Figures) -> tuple[str, str]:
    return f"{figures['examples']:,}", f"`{figures['test'].partition('::')[0]}`: {figures['result']}"


def _zoo(figures: Figures) -> tuple[str, str]:
    worst = max(row["worst"] for row in figures["rows"])
    every = figures["at_the_bound_of_every_order"]
    return (
        f"{figures['plans']}",
        f"in passing at most {worst:.3f} x the bound of the order; {every} at that of any order",
    )


def _masked(figures: Figures) -> tuple[str, str]:
    failed = ", ".join(f"{count} at {stage}" for stage, count in figures["failed"].items())
    return (
        f"{figures['examples']:,}",
        f"{figures['done']:,} came to the exact sum of the survivors, the others to none: {failed}",
    )


def _poet(figures: Figures) -> tuple[str, str]:
    kept = [row for row in figures["rows"] if "transient" in row]
    slowest = max(row["seconds_to_plan"] for row in figures["rows"])
    return f"{len(figures['rows'])}", f"{len(kept)} budgets kept and executed; planned in {slowest:.0f} s at most"


def _lighter(figures: Figures) -> tuple[str, str]:
    shares = ", ".join(f"{row['model']} {row['norms']} {row['share']:.2f}" for row in figures["rows"])
    return f"{len(figures['rows'])}", f"of the plain step's bytes in passing: {shares}"


def _memory(figures: Figures) -> tuple[str, str]:
    rows = figures["rows"]
    found = [cell for row in rows for cell in row.values() if isinstance(cell, Mapping) and "measured" in cell]
    shares = sorted(row["lighter"]["measured"] / row["full"]["measured"] for row in rows)
    told = f"{len(found)} arenas measured as planned; lighter by the median {shares[len(shares) // 2]:.2f} of full"
    return f"{len(rows)}", f"{told}; the table is the [README](../README.md)'s"


def _auto(figures: Figures) -> tuple[str, str]:
    found = {kind: _average(figures, kind) for kind in ("best", "last")}
    told = ", ".join(
        f"{k} epoch {d['mean'] * 100:+.1f} ({d['low'] * 100:+.1f} to {d['high'] * 100:+.1f})" for k, d in found.items()
    )
    return f"{figures['seeds']} seeds", f"auto less last-K, points of accuracy, 95 %: {told}"


def _average(figures: Figures, kind: str) -> Mapping[str, float]:
    label = next(name for name in figures["difference"] if name.startswith(kind))
    found: Mapping[str, float] = figures["difference"][label]["average"]
    return found


def _state(figures: Figures) -> tuple[str, str]:
    means = {(r["optimizer"], r["state"]): sum(r["accuracy"]) / len(r["accuracy"]) for r in figures["rows"]}
    lost = {k: means[k[0], "float32"] - mean for k, mean in means.items() if k[1] != "float32"}
    told = ", ".join(f"{o} in {state} {-100 * d:+.1f}" for (o, state), d in lost.items())
    return f"{len(figures['rows'])}", f"points of accuracy against the whole state: {told}"


def _demo(figures: Figures) -> tuple[str, str]:
    mean = figures["mean"]
    gain, loss = (100 * (mean[f"{k}_after"] - mean[f"{k}_before"]) for k in ("shifted", "clean"))
    return f"{len(figures['seeds'])} seeds", f"changed camera {gain:+.1f} points, clean {loss:+.1f}"


def _personal(figures: Figures) -> tuple[str, str]:
    from .personal.study import READING
    from .personal.ways import UPDATES

    found = {name: figures["ways"][name]["best"] for name in (*UPDATES, *(f"{READING}, {u}" for u in UPDATES))}
    told = ", ".join(
        f"{name} {-way['gain']:+.3f} ({-way['interval'][1]:+.3f} to {-way['interval'][0]:+.3f})"
        for name, way in found.items()
    )
    count = f"{figures['owners']} owners, {figures['seeds']} seeds"
    return count, f"bits a character against the model as it came, 95 %: {told}"


def _quantised(figures: Figures) -> tuple[str, str]:
    told = []
    for task, found in figures["tasks"].items():
        ways = ("PTQ minmax", "QAT int8", "QAT w4a8")
        lost = ", ".join(f"{way} {100 * found['ways'][way]['best lost']['mean']:+.2f}" for way in ways)
        told.append(f"{task} {lost}")
    within = f"; within two standard errors of its bar: {', '.join(figures['open'])}" if figures["open"] else ""
    return f"{figures['seeds']} seeds", f"points of accuracy lost to float: {'; '.join(told)}{within}"


def _quantised_table(figures: Figures) -> Sequence[str]:
    from .quantise.experiment import table

    return table(figures["tasks"]).splitlines()


def _personal_table(figures: Figures) -> Sequence[str]:
    from .personal.study import table

    return table(dict(figures)).splitlines()


def _lighter_table(figures: Figures) -> Sequence[str]:
    lines = [
        "| model | norms | plain B | lighter B | share | × time, planned | × time, measured | plan s |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for r in figures["rows"]:
        m = r["slowdown_measured"]
        lines.append(
            f"| `{r['model']}` | {r['norms']} | {r['plain_transient']:,} | {r['transient']:,} | {r['share']:.2f} "
            f"| {r['slowdown_planned']:.2f} | {m['median']:.2f} ({m['low']:.2f}-{m['high']:.2f}) "
            f"| {r['seconds_to_plan'][1]:.1f} |"
        )
    return lines


def _zoo_table(figures: Figures) -> Sequence[str]:
    lines = ["| model | kernels of a step | × the bound of its order | plan s |", "|---|---:|---:|---:|"]
    for r in figures["rows"]:
        lines.append(f"| `{r['model']}` | {r['kernels']:,} | {r['worst']:.3f} | {r['seconds_to_plan']:.1f} |")
    return lines


def _auto_table(figures: Figures) -> Sequence[str]:
    from .auto.experiment import table

    return table(dict(figures)).splitlines()


def _told(figures: Figures) -> Sequence[str]:
    lines: Sequence[str] = figures["table"]
    return lines


def _privacy(figures: Figures) -> tuple[str, str]:
    audits = figures["audits"]
    runs = sum(2 * row["runs"] for row in audits)
    return (
        f"{runs:,}",
        f"epsilon within {figures['apart']:.0e} of opacus' over {figures['grid']:,} settings; no audit refutes what is "
        "claimed, and each refutes it where the noise is a quarter of it or off",
    )


def _privacy_table(figures: Figures) -> Sequence[str]:
    lines = [
        "| hidden is | noise claimed | there is of it | epsilon claimed | it is at least | at least, of a Gaussian |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for row in figures["audits"]:
        lines.append(
            f"| {row['unit']} | {row['noise']:g} | {row['of it']:g} | {row['claimed']:.2f} | {row['lowest']:.2f} | "
            f"{row['gaussian']:.2f} |"
        )
    told = f"{figures['audits'][0]['runs']} runs with a canary and as many without a row; bounds at 95 %, delta 1e-5."
    return [*lines, "", told[0].upper() + told[1:]]


SHORT: Mapping[str, Callable[[Figures], tuple[str, str]]] = {
    "every zoo model at its bound": _zoo,
    "memory of every zoo network, with peers": _memory,
    "POET's case, executed": _poet,
    "masked sums under faults by lot": _masked,
    "a step in half the bytes": _lighter,
    "what to update, four transfers": _auto,
    "state in fewer bytes, five seeds": _state,
    "demo, five seeds": _demo,
    "a character model's ten owners": _personal,
    "quantised networks, five seeds": _quantised,
    "privacy, beside opacus and audited": _privacy,
}
TABLES: Mapping[str, Callable[[Figures], Sequence[str]]] = {
    "a step in half the bytes": _lighter_table,
    "POET's case, executed": _told,
    "what to update, four transfers": _auto_table,
    "every zoo model at its bound": _zoo_table,
    "state in fewer bytes, five seeds": _told,
    "a character model's ten owners": _personal_table,
    "quantised networks, five seeds": _quantised_table,
    "privacy, beside opacus and audited": _privacy_table,
}
