"""The machine this runs on, measured on the spot: a profile table like those of the TOML files.

With a C compiler a small program measures one core; without one numpy does, and ``sources`` says so.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from selvedge.artifact.toolchain import Compiler, NoCompiler, find_compiler
from selvedge.device import counter
from selvedge.errors import InvalidInput

# Where C kernels of one family are called one after the other; a guess at call, prologue and loop tails.
OVERHEAD_S = 1e-7
NO_COUNTER = "this machine has no energy counter that can be read: joules are not told"
RAM_FOOTPRINT = 128 << 20
CACHE_FOOTPRINT = 256 << 10
CACHE_SIZE = "/sys/devices/system/cpu/cpu0/cache/index2/size"

_WIDTHS = (("__AVX512F__", 64), ("__AVX__", 32), ("__SSE2__", 16), ("__ARM_NEON", 16))
_FLAGS = (("avx512f", 64), ("avx", 32), ("sse2", 16), ("asimd", 16), ("neon", 16))


def this_machine(find: Callable[[], Compiler] = find_compiler) -> dict[str, Any]:
    """Sizes from the operating system, vector width from the compiler, rates measured in about a second, and the power
    drawn meanwhile where the machine has an energy counter."""
    ram, used, origin = memory()
    cache = _cache_bytes()
    meter = counter.find()
    power: float | None = None
    try:
        compiler = find()
        width = vector_bytes(predefined(compiler))
        footprint = min(RAM_FOOTPRINT, ram // 8)
        began = meter.start() if meter else None
        rates, how = _with_compiler(compiler, width, footprint, cache)
        power = began.watts() if began else None
        toolchain = {"compiler": compiler.command, "flags": native_flags(width)}
        width_from = f"{compiler} -march=native -dM -E"
    except (NoCompiler, OSError, subprocess.SubprocessError, ValueError) as error:
        width = _width_of_cpu()
        rates, how = _with_numpy(min(RAM_FOOTPRINT, ram // 8), cache)
        toolchain = None
        width_from = f"the processor's flags; no C compiler could be used ({_one_line(error)})"
    clock = _clock_hz()
    bandwidth = {"ram": rates["ram"]} | ({"cache": rates["cache"]} if cache else {})
    rate_figures = ("throughput.float32", *(f"bandwidth.{level}" for level in sorted(bandwidth)))
    sources = [
        _source(("ram", "reserved_ram"), "measured", origin, "memory in use by others counts as reserved"),
        _source(("flash",), "measured", "file system of the working directory", "free bytes"),
        _source(("vector_bytes", "alignment"), "measured", width_from, f"{width} bytes; aligned to a vector"),
        _source(rate_figures, "measured", how, "best of many passes; kernels reach a part of it"),
        _source(("overhead_s",), "estimate", "", "a call, a prologue and loop tails: some 300 cycles"),
    ]
    if cache:
        sources.append(_source(("cache",), "measured", CACHE_SIZE, "second-level cache of one core"))
    if clock:
        sources.append(_source(("clock_hz",), "measured", "/proc/cpuinfo", "the clock now, or cpufreq's most"))
    sources.append(
        _source(("energy.static_w", "energy.band"), "measured", str(meter.path), "mean of the package at full load")
        if power and meter
        else _source(("energy",), "measured", str(counter.ROOT), NO_COUNTER)
    )
    return {
        "name": "this-machine",
        "summary": _cpu_name(),
        "ram": ram,
        "reserved_ram": used,
        "flash": shutil.disk_usage(Path.cwd()).free,
        "cache": cache,
        "clock_hz": clock,
        "vector_bytes": width,
        "alignment": max(width, 16),
        "throughput": {"float32": rates["macs"]},
        "bandwidth": bandwidth,
        "overhead_s": OVERHEAD_S,
        "toolchain": toolchain,
        "energy": {"static_w": power, "band": counter.BAND} if power else None,
        "sources": sources,
    }


def native_flags(width: int) -> tuple[str, ...]:
    """Flags for this machine. clang splits 64-byte vectors in two on many processors unless told not to."""
    return ("-march=native", "-mprefer-vector-width=512") if width == 64 else ("-march=native",)


def predefined(compiler: Compiler) -> frozenset[str]:
    """The macros that the compiler defines for this machine. Raises OSError or SubprocessError."""
    command = [*compiler.command, "-march=native", "-dM", "-E", "-x", "c", os.devnull]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    lines = (line.split(maxsplit=2) for line in done.stdout.splitlines())
    return frozenset(words[1] for words in lines if len(words) > 1)


def vector_bytes(macros: frozenset[str]) -> int:
    """Width in bytes of the widest float vectors that the macros promise, 0 for none."""
    return next((width for macro, width in _WIDTHS if macro in macros), 0)


def memory() -> tuple[int, int, str]:
    """Bytes of RAM, bytes of it that others use, and where that is known from.

    A container's limit counts as the RAM. Raises :class:`InvalidInput` where the system does not tell.
    """
    try:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        fix = 'this system does not tell its RAM: give it, as Device(ram="8GiB", flash="64GiB")'
        raise InvalidInput("device", "this-machine", fix) from None
    limit, current = (_number(f"/sys/fs/cgroup/memory.{name}") for name in ("max", "current"))
    if limit is not None and current is not None and limit < total:
        return limit, min(current, limit - 1), "cgroup memory.max, memory.current"
    available = _line("/proc/meminfo", "MemAvailable")
    if available is None:
        return total, total // 4, "sysconf; a quarter is taken to be in use"
    return total, total - 1024 * int(available.split()[0]), "sysconf, /proc/meminfo MemAvailable"


def _with_compiler(compiler: Compiler, width: int, ram: int, cache: int) -> tuple[dict[str, float], str]:
    """Compile the micro-benchmark and run it. Raises OSError, SubprocessError or ValueError."""
    source = resources.files("selvedge.device").joinpath("microbenchmark.c").read_text(encoding="utf-8")
    # ISO mode switches contraction into fused multiply-adds off in gcc: ask for it.
    flags = ("-std=c99", "-O3", "-ffp-contract=fast", *native_flags(width), f"-DVECTOR_BYTES={width}")
    with tempfile.TemporaryDirectory(prefix="selvedge-") as folder:
        code, program = Path(folder, "microbenchmark.c"), Path(folder, "microbenchmark")
        code.write_text(source, encoding="utf-8")
        build = [*compiler.command, *flags, str(code), "-o", str(program)]
        subprocess.run(build, capture_output=True, timeout=300, check=True)
        footprint = str(cache // 2 or CACHE_FOOTPRINT)
        run = [str(program), footprint, str(ram)]
        done = subprocess.run(run, capture_output=True, text=True, timeout=60, check=True)
    rates = {name: float(value) for name, value in (line.split() for line in done.stdout.splitlines())}
    return rates, f"microbenchmark.c built by {compiler}: one core"


def _with_numpy(ram: int, cache: int) -> tuple[dict[str, float], str]:
    """The same figures from numpy's matrix product and its scaling of a vector."""
    side = 384
    a, b, c = (np.ones((side, side), np.float32) for _ in range(3))
    rates = {"macs": side**3 / _best(lambda: np.matmul(a, b, out=c), 0.3)}
    for level, footprint in (("cache", cache // 2 or CACHE_FOOTPRINT), ("ram", ram)):
        x = np.ones(footprint // 8, np.float32)
        y = np.zeros_like(x)
        rates[level] = 2 * x.nbytes / _best(lambda x=x, y=y: np.multiply(x, np.float32(0.5), out=y), 0.2)  # type: ignore[misc]
    return rates, "numpy, no C compiler at hand: matmul (perhaps on several cores) and multiply"


def _best(work: Callable[[], object], budget: float) -> float:
    """The shortest of the runs that fit into ``budget`` seconds, two at least."""
    taken: list[float] = []
    while len(taken) < 2 or sum(taken) < budget:
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return min(taken)


def _source(figures: tuple[str, ...], kind: str, document: str, says: str) -> dict[str, Any]:
    return {"figures": figures, "kind": kind, "document": document, "where": "this machine", "says": says}


def _one_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _width_of_cpu() -> int:
    """Vector width by the processor's flags; where they are not told, what every x86-64 and AArch64 has."""
    flags = (_line("/proc/cpuinfo", "flags") or _line("/proc/cpuinfo", "Features") or "").split()
    known = next((width for flag, width in _FLAGS if flag in flags), 0)
    return known or (16 if platform.machine() in ("x86_64", "AMD64", "aarch64", "arm64") else 0)


def _cache_bytes() -> int:
    """Bytes of the second-level cache of one core, 0 where the system does not tell."""
    try:
        text = Path(CACHE_SIZE).read_text(encoding="utf-8").strip()
        return int(text.removesuffix("K")) * 1024
    except (OSError, ValueError):
        return 0


def _clock_hz() -> float | None:
    megahertz = _line("/proc/cpuinfo", "cpu MHz")
    if megahertz:
        return float(megahertz) * 1e6
    kilohertz = _number("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq")
    return kilohertz * 1e3 if kilohertz else None


def _cpu_name() -> str:
    return _line("/proc/cpuinfo", "model name") or platform.processor() or platform.machine()


def _line(path: str, key: str) -> str | None:
    """What follows ``key:`` in a file of such lines."""
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if colon and name.strip() == key:
            return value.strip()
    return None


def _number(path: str) -> int | None:
    """The whole number that a file holds, or None."""
    try:
        return int(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
