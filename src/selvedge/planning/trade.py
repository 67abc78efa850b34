"""What a plan may give for bytes, and what it gave: values."""

from __future__ import annotations

from dataclasses import dataclass

from ..artifact.number import finite
from ..errors import InvalidInput

OBJECTIVES = ("time", "energy")


@dataclass(frozen=True, slots=True)
class Trade:
    """What a plan may give for bytes of RAM.

    masks: where the backward asks of an activation only where it passed its gradient, a bit of each number may be kept.
    stream: runs of layers may keep rows of their activations instead of the whole (planning/streaming.py).
    channels: where the backward makes something wide of something narrow, it may make it for some channels at a time,
    and again what the forward pass made there (planning/channels.py); only where values may be made again. Sums over
    those channels are then made in pieces, so that gradients differ by rounding.
    recompute: values may be let go and made again. page: they may be written to the device's storage and read back.
    int8_activations: activations that only the backward still reads may be kept in 8 bits, with a scale a channel. This
    alone changes gradients: each such number is off by at most 1/254 of the largest magnitude of its channel.
    slowdown: the most that a program may take, as a multiple of its time without either. objective: what is given up
    least of, "time" or "energy". least: go down to the fewest bytes within ``slowdown``, rather than stop where the
    budget is kept.
    """

    stream: bool = True
    recompute: bool = True
    page: bool = False
    slowdown: float = 2.0
    objective: str = "time"
    least: bool = False
    masks: bool = True
    int8_activations: bool = False
    channels: bool = True

    def __post_init__(self) -> None:
        for name in ("stream", "recompute", "page", "least", "masks", "int8_activations", "channels"):
            if not isinstance(getattr(self, name), bool):
                raise InvalidInput(f"trade {name}", getattr(self, name), "give True or False")
        slowdown = finite(self.slowdown)
        if slowdown is None or slowdown < 1:
            raise InvalidInput("trade slowdown", self.slowdown, "give a multiple of the plain time, 1 or more")
        if self.objective not in OBJECTIVES:
            raise InvalidInput("trade objective", self.objective, f"choose one of {', '.join(OBJECTIVES)}")


DEFAULT, NOTHING = Trade(), Trade(stream=False, recompute=False, masks=False)  # the default; plans as they are


@dataclass(frozen=True, slots=True)
class Saved:
    """What a program gave for bytes. plain_bytes, plain_seconds, plain_joules: without it. streamed: kernels that work
    by rows. again: runs of kernels beyond the first. regions: of the backward that are made by channels, in ``pieces``
    pieces each. paged_out, paged_in: bytes written to storage and
    read back, a run."""

    plain_bytes: int
    plain_seconds: float | None
    plain_joules: float | None
    streamed: int
    again: int
    paged_out: int
    paged_in: int
    regions: int = 0
    pieces: int = 0
