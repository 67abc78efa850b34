"""The parts of a device: rates, energy, how its flash is split, measured times, delegates, sources. Values only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Literal

# Bytes of an element, by the dtypes that rates are given for.
LANE_BYTES = {"float64": 8, "float32": 4, "int32": 4, "float16": 2, "bfloat16": 2, "int16": 2, "int8": 1, "uint8": 1}
# "storage" is read, "storage_write" is written: flash and cards write slower than they read.
LEVELS = ("cache", "ram", "flash", "storage", "storage_write")
KINDS = ("published", "estimate", "measured")
# What a measured table prices, each in seconds: see device/cost.py.
COUNTS = ("call", "mac", "single", "op", "libm", "line", "byte")
BAND = 1.0  # of an energy without a band: right to a factor of two


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Rates(Mapping[str, float]):
    """A frozen, hashable mapping of names, sorted, to figures: MAC/s by dtype, say. Equal to a dict of the same."""

    pairs: tuple[tuple[str, float], ...] = ()

    def __getitem__(self, key: str) -> float:
        return dict(self.pairs)[key]

    def __iter__(self) -> Iterator[str]:
        return (key for key, _ in self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def __hash__(self) -> int:
        return hash(self.pairs)

    def __repr__(self) -> str:
        return repr(dict(self.pairs))


@dataclass(frozen=True, slots=True)
class Energy:
    """What a step draws: ``static_w`` watts while it runs, joules per MAC (by dtype) and per byte (by level).

    Where only the current of a busy chip is published, ``static_w`` holds it all and the rest is empty. ``band``: how
    far off the sum may be, as a share: a figure e stands for e / (1 + band) to e * (1 + band).
    """

    static_w: float = 0.0
    mac_j: Rates = Rates()
    byte_j: Rates = Rates()
    band: float = BAND

    def low(self, joules: float) -> float:
        return joules / (1 + self.band)

    def high(self, joules: float) -> float:
        return joules * (1 + self.band)


@dataclass(frozen=True, slots=True)
class Toolchain:
    """The C compiler's command, and the flags that select this device."""

    compiler: tuple[str, ...]
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FlashSplit:
    """Bytes of flash that code and weights may not use: the boot loader with its tables, what the system keeps beside
    it (file system, settings), replay that is kept in flash, and the slot that an update is received in."""

    bootloader: int = 0
    system: int = 0
    replay: int = 0
    update_slot: int = 0

    @property
    def reserved(self) -> int:
        return sum(getattr(self, f.name) for f in fields(self))


@dataclass(frozen=True, slots=True)
class Storage:
    """What values can be paged out to: a card, external flash, a file. ``size``: bytes for it. ``endurance``: times
    that each byte can be written (program-erase cycles, the wear levelled over all of it), 0 where that is unknown."""

    size: int
    endurance: int = 0

    def runs(self, written: int) -> float | None:
        """How often ``written`` bytes can be written until it is worn out; None where nobody knows."""
        return self.size * self.endurance / written if self.endurance and written else None


@dataclass(frozen=True, slots=True)
class KernelTime:
    """What a kernel of ``family`` on numbers of ``dtype`` takes, measured: seconds per count of ``COUNTS``."""

    family: str
    dtype: str
    seconds: Rates


@dataclass(frozen=True, slots=True)
class Delegate:
    """An accelerator beside the core. ``ops``: its peak, operations (two a MAC) a second by dtype. ``memory``: bytes of
    its own, 0 where it shares the RAM. ``runtime``: what reaches it; our own kernels run on the core."""

    name: str
    kind: Literal["npu", "gpu", "dsp", "cluster"]
    ops: Rates
    memory: int
    runtime: str

    @property
    def dtypes(self) -> tuple[str, ...]:
        return tuple(self.ops)


@dataclass(frozen=True, slots=True)
class Source:
    """Where figures come from. ``figures`` are field names of the device ("ram", "throughput.float32").

    ``kind``: "published" (``document`` and ``where`` in it), "estimate" (``says`` gives the reasoning), or
    "measured" (here and now).
    """

    figures: tuple[str, ...]
    kind: Literal["published", "estimate", "measured"]
    document: str
    where: str
    says: str
