"""A slowly turning machine with a rolling bearing, after McFadden & Smith (JSV 96(1), 1984) and Randall & Antoni (MSSP
25, 2011): *simulated* vibration over *measured* accelerometer noise.

Each time a rolling element passes a defect it strikes; each strike rings a resonance that dies away. Strikes slip: the
time between two varies by about 1 %. The load, and so the strike, is greatest in the loaded zone: a defect of the inner
race passes it once a turn, one of a ball with the cage. Rates are those that a phone's accelerometer can follow: a
shaft of 1.5 Hz (a kiln, a mixer, a wind turbine's main bearing) and a structural resonance of 32 Hz, at 100 Hz.

The noise is no model: it is what the phones of the HAR data measured while their carriers sat still, gravity and trend
taken off: the stretches and axes with less than 0.1 m/s^2 (RMS), spliced. What fidgets more is no machine.
"""

from __future__ import annotations

import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.auto.sources import FOLDER
from benchmarks.packed import read

Samples = npt.NDArray[np.float64]
RATE = 100.0  # Hz
SHAFT = 1.5  # Hz
RESONANCE, DAMPING = 32.0, 0.06  # Hz, share of critical
SLIP = 0.01  # of the time between two strikes, one standard deviation
STILL = 0.1  # m/s^2
SPLICE = 16  # samples over which two segments of noise are faded into each other
NEEDS = "har_sp_sw_23subjects"
FAULTS = ("outer", "inner", "ball")


@dataclass(frozen=True, slots=True)
class Bearing:
    """Geometry, here that of a 6205 deep-groove ball bearing: diameters in mm, contact angle in radians."""

    balls: int = 9
    ball: float = 7.94
    pitch: float = 39.04
    angle: float = 0.0

    def rate(self, fault: str) -> float:
        """Strikes a turn of the shaft: BPFO, BPFI, and twice BSF, for a ball strikes both races."""
        ratio = self.ball / self.pitch * np.cos(self.angle)
        rates = {
            "outer": self.balls / 2 * (1 - ratio),
            "inner": self.balls / 2 * (1 + ratio),
            "ball": self.pitch / self.ball * (1 - ratio**2),
        }
        return float(rates[fault])

    @property
    def cage(self) -> float:
        """Turns of the cage a turn of the shaft (FTF)."""
        return float((1 - self.ball / self.pitch * np.cos(self.angle)) / 2)


def machine(samples: int, random: np.random.Generator) -> Samples:
    """What a healthy one adds to the noise: imbalance and misalignment, once and twice a turn. In m/s^2."""
    phase = 2 * np.pi * np.cumsum(np.full(samples, SHAFT / RATE) * (1 + 0.01 * random.standard_normal(samples)))
    return 0.05 * np.sin(phase) + 0.02 * np.sin(2 * phase + 1)


def strikes(samples: int, fault: str, random: np.random.Generator, bearing: Bearing | None = None) -> Samples:
    """The ringing of a fault, its strongest strike 1: [samples]."""
    bearing = bearing or Bearing()
    between = 1 / (bearing.rate(fault) * SHAFT)
    count = int(samples / RATE / between * 1.2) + 8
    at = random.uniform(0, between) + np.cumsum(between * (1 + SLIP * random.standard_normal(count)))
    turn = 2 * np.pi * SHAFT * at
    load = {
        "outer": np.ones(count),  # it does not move, and lies in the loaded zone
        "inner": (1 + np.cos(turn)) / 2,
        "ball": (1 + np.cos(bearing.cage * turn)) / 2,
    }[fault]
    found, time = np.zeros(samples), np.arange(samples) / RATE
    omega = 2 * np.pi * RESONANCE
    for moment, size in zip(at, load, strict=True):
        first = int(np.ceil(moment * RATE))
        part = slice(first, min(first + 40, samples))  # by then less than a hundredth rings
        since = time[part] - moment
        found[part] += size * np.exp(-DAMPING * omega * since) * np.sin(omega * np.sqrt(1 - DAMPING**2) * since)
    return found


def noise(samples: int, random: np.random.Generator, held: Sequence[Samples]) -> Samples:
    """Measured noise in m/s^2: the stretches of ``held`` in random order and sign, spliced with equal power."""
    found, filled = np.zeros(samples + 4096), 0
    rise = np.sin(np.linspace(0, np.pi / 2, SPLICE))
    while filled < samples + SPLICE:
        segment = held[random.integers(len(held))] * random.choice((-1, 1))
        shaped = segment.copy()
        shaped[:SPLICE] *= rise
        shaped[-SPLICE:] *= rise[::-1]
        shaped = shaped[: found.size - filled]
        found[filled : filled + shaped.size] += shaped
        filled += segment.size - SPLICE
    return found[SPLICE : SPLICE + samples]


def archive() -> Path:
    return FOLDER / NEEDS / "sp-sw-har-dataset.tar.xz"


@cache
def still() -> tuple[Samples, ...]:
    """Stretches of sitting still, one axis each, [samples]: ten samples off at either end, and gravity and trend."""
    found: list[Samples] = []
    with tarfile.open(archive()) as files:
        for member in sorted(files, key=lambda member: member.name):
            if not member.name.endswith("_sp.csv"):
                continue
            rows = [line.split(",") for line in read(files, member).decode().splitlines()[1:]]
            sitting = np.array([row[-1] == "SEATED" for row in rows])
            edges = np.flatnonzero(np.diff(np.concatenate(([0], sitting.astype(np.int8), [0]))))
            for first, last in edges.reshape(-1, 2):
                if last - first < 84:
                    continue
                axes = np.array([row[:3] for row in rows[first + 10 : last - 10]], np.float64)
                line = np.vander(np.arange(len(axes)), 2)
                flat = axes - line @ np.linalg.lstsq(line, axes, rcond=None)[0]
                found += [axis for axis in flat.T if axis.std() < STILL]
    return tuple(found)
