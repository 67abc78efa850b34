"""Where in the device's storage what is paged out lies."""

from __future__ import annotations

from dataclasses import replace

from ..kernel import Lowered

ALIGN = 4096  # bytes: the largest page that flash and files are usually written in


def stored(low: Lowered) -> tuple[Lowered, int]:
    """``low`` with a place in storage for every value that is paged out, and the bytes in all.

    Places are not shared: storage is large, and a place that is written once a run is worn once a run.
    """
    places: dict[int, int] = {}
    top = 0
    for k in low.kernels:
        if k.family == "page_out":
            places[k.params["of"]] = top
            top += -(-k.params["bytes"] // ALIGN) * ALIGN
    if not places:
        return low, 0
    kernels = tuple(
        replace(k, params={**k.params, "at": places[k.params["of"]]}) if k.family in ("page_out", "page_in") else k
        for k in low.kernels
    )
    return replace(low, kernels=kernels), top
