"""The tables of all cases: printed, and into ``docs/secure.md``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.written import ROOT, tables

from .experiment import BITS, COHORTS, WHO, Cohort

DOCS = "docs/secure.md"
MARK = "masked"
SECONDS = 60  # of the server, that a thousand in groups may take
Cases = Sequence[Mapping[str, Any]]


def table(cases: Cases) -> str:
    """Of pairs, and of cohorts in groups."""
    return "\n".join([*_pairs(cases), "", *_groups(cases), "", _about(cases)])


def _pairs(cases: Cases) -> list[str]:
    lines = [
        "| clients | parameters | lost | whose | masks with | client, s | least-most | server, s | least-most | "
        "up, B a parameter | beside the vector, B |",
        "|---:|---:|---:|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for cohort in COHORTS.values():
        if cohort.neighbours is None:
            continue
        for who in WHO:
            own = _of(cases, cohort, who)
            if not own:
                continue
            masks = (cohort.clients if who == WHO[0] else cohort.neighbours) - 1
            begins = f"| {cohort.clients} | {cohort.parameters:,} | {cohort.lost} | {who} | {masks} |"
            failed = next((case["failed"] for case in own if "failed" in case), None)
            if failed:
                lines.append(f"{begins} failed: {failed} | | | | | |")
                continue
            client = [second for case in own for second in case["client"]]
            server = [case["server"] for case in own]
            up, vector = own[0]["up"], own[0]["vector"]
            lines.append(
                f"{begins} {median(client):.3g} | {min(client):.3g}-{max(client):.3g} | {median(server):.3g} | "
                f"{min(server):.3g}-{max(server):.3g} | {up / cohort.parameters:.3f} | {up - vector:,.0f} |"
            )
    return lines


def _groups(cases: Cases) -> list[str]:
    lines = [
        "| clients, ours | parameters | groups | server, s, all groups | least-most | client, s | up, B a parameter | "
        "wanted |",
        "|---:|---:|---:|---:|---:|---:|---:|---|",
    ]
    for cohort in COHORTS.values():
        own = _of(cases, cohort, WHO[0])
        if cohort.neighbours is not None or not own:
            continue
        failed = next((case["failed"] for case in own if "failed" in case), None)
        if failed:
            lines.append(f"| {cohort.clients:,} | {cohort.parameters:,} | failed: {failed} | | | | | |")
            continue
        server = [case["server"] for case in own]
        groups = f"{len(own[0]['groups'])} of at most {cohort.most}"
        wanted = f"< {SECONDS}" if median(server) < SECONDS else f"**missed**: < {SECONDS}"
        lines.append(
            f"| {cohort.clients:,} | {cohort.parameters:,} | {groups} | {median(server):.3g} | "
            f"{min(server):.3g}-{max(server):.3g} | {median(own[0]['client']):.3g} | "
            f"{own[0]['up'] / cohort.parameters:.3f} | {wanted} |"
        )
    return lines


def _about(cases: Cases) -> str:
    turns = len({case["turn"] for case in cases})
    loads = [case["load"] for case in cases]
    return (
        f"{turns} turn{'' if turns == 1 else 's'}, one after the other; seconds are the processor's, of one thread; "
        f"values of ours have {BITS} bits. The machine was not quiet: two cores, and a load of {min(loads):g} to "
        f"{max(loads):g}."
    )


def read(folder: Path) -> list[dict[str, Any]]:
    """Every case that is kept, in order."""
    names = list(COHORTS)
    found = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    return sorted(found, key=lambda case: (names.index(case["cohort"]), case["turn"], WHO.index(case["who"])))


def write(folder: Path) -> None:
    """All that lies in ``folder``, into the page."""
    tables(ROOT / DOCS, {MARK: table(read(folder))})


def _of(cases: Cases, cohort: Cohort, who: str) -> list[Mapping[str, Any]]:
    return [case for case in cases if (case["cohort"], case["who"]) == (cohort.name, who)]
