"""The runtimes that a plan may be emitted for: what each needs, what is installed of it, what we write for it.

Nothing here imports a runtime: whether a package is there, and which version, its metadata says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ..errors import InvalidInput

ABILITIES = ("float", "int8", "train")
"""What a target may be able to: run a float network, run an int8 one, and train."""

NEW = ".new"
"""Where state goes in and out of a program by name: what the result that replaces a state array is called behind that
array's name."""


@dataclass(frozen=True, slots=True)
class Package:
    """A package of Python's, from version ``least`` to before ``below``."""

    name: str
    least: str
    below: str

    @property
    def wanted(self) -> str:
        """As pip takes it."""
        return f"{self.name}>={self.least},<{self.below}"

    @property
    def installed(self) -> str | None:
        """The version that is here; None where it is not."""
        from importlib import metadata  # a megabyte of tables, which a small device that runs our own code does without

        try:
            return metadata.version(self.name)
        except metadata.PackageNotFoundError:
            return None

    @property
    def lack(self) -> str | None:
        """Why it will not do, as "is not installed"; None where it will."""
        found = self.installed
        if found is None:
            return "is not installed"
        if _numbers(found) < _numbers(self.least):
            return f"is too old here ({found})"
        if _numbers(found) >= _numbers(self.below):
            return f"is too new here ({found})"
        return None


@dataclass(frozen=True, slots=True)
class Target:
    """``what``: one line. ``able``: of :data:`ABILITIES`, what we write for it. ``writes``, ``runs``: the packages that
    emitting and that running an artifact need beside our own."""

    name: str
    what: str
    able: tuple[str, ...] = ()
    writes: tuple[Package, ...] = ()
    runs: tuple[Package, ...] = ()

    @property
    def packages(self) -> tuple[Package, ...]:
        return tuple(dict.fromkeys((*self.writes, *self.runs)))

    @property
    def install(self) -> str:
        """The line that installs what it needs; "" where that is nothing."""
        wanted = " ".join(f"'{p.wanted}'" for p in self.packages)
        return f"pip install {wanted}" if wanted else ""

    @property
    def ready(self) -> bool:
        """Whether it can be written and run here."""
        return all(p.lack is None for p in self.packages)

    def to_dict(self) -> dict[str, Any]:
        """For machines."""
        return {
            "name": self.name,
            "what": self.what,
            "able": list(self.able),
            "packages": [
                {"name": p.name, "wanted": p.wanted, "installed": p.installed, "lack": p.lack} for p in self.packages
            ],
            "ready": self.ready,
            "install": self.install,
        }


_TORCH = Package("torch", "2.13", "2.14")
_ONNX = Package("onnx", "1.23", "1.24")
_EXECUTORCH = Package("executorch", "1.5.1", "1.6")
_TVM = Package("apache-tvm", "0.27", "0.28")

TARGETS: Mapping[str, Target] = MappingProxyType({
    t.name: t
    for t in (
        Target("c", "C99 for a microcontroller or a Linux board; our own runtime", ("float", "int8", "train")),
        Target(
            "onnx", "ONNX models of standard operators, for ONNX Runtime", ("float", "int8", "train"),
            writes=(_ONNX,), runs=(Package("onnxruntime", "1.32", "1.33"),),
        ),
        Target(
            "litert", "a .tflite file of builtin operators, for LiteRT", ABILITIES,
            runs=(Package("ai-edge-litert", "2.3", "2.4"),),
        ),
        Target(
            "litert-micro", "a .tflite file, as a C array too, for LiteRT for Microcontrollers", ("float", "int8"),
            runs=(Package("tflite-micro", "0.dev20261023182759", "1"),),  # there are pre-releases alone
        ),
        Target(
            "executorch", "a .pte file for ExecuTorch, by XNNPACK where that has kernels", ABILITIES,
            writes=(_EXECUTORCH, _TORCH), runs=(_EXECUTORCH,),
        ),
        Target(
            "executorch-portable", "a .pte file for ExecuTorch, by its portable kernels alone", ABILITIES,
            writes=(_EXECUTORCH, _TORCH), runs=(_EXECUTORCH,),
        ),
        Target(
            "tvm", "a library that Apache TVM has compiled, by LLVM", ABILITIES, writes=(_TVM,), runs=(_TVM,),
        ),
        Target(
            "tvm-c", "a library of the C that Apache TVM writes, and that C", ABILITIES, writes=(_TVM,), runs=(_TVM,),
        ),
        Target("pt2", "a program of torch.export", ABILITIES, writes=(_TORCH,), runs=(_TORCH,)),
    )
})  # fmt: skip
"""By name."""


def target(name: object) -> Target:
    """The target ``name``. Raises :class:`InvalidInput` for another."""
    if not isinstance(name, str) or name not in TARGETS:
        raise InvalidInput("target", name, f"choose one of {', '.join(TARGETS)}")
    return TARGETS[name]


def require(name: str, able: str | None = None, *, to_run: bool) -> Target:
    """The target ``name``, where it is ``able`` to what is wanted and its packages are here: those that ``to_run`` an
    artifact of it needs, or those that write one.

    Raises :class:`InvalidInput`: one line that says which package is missing, too old or too new, and what to install.
    """
    found = target(name)
    if not found.able or (able is not None and able not in found.able):
        does = {"float": "run a float network", "int8": "run an int8 network", "train": "train"}
        told = does[able] if able is not None else "be written"
        others = ", ".join(t.name for t in TARGETS.values() if (able in t.able if able else t.able))
        raise InvalidInput("target", name, f"it cannot {told} yet: choose one of {others}")
    packages = found.runs if to_run else found.writes
    for package in packages:
        if package.lack is not None:
            wanted = " ".join(f"'{p.wanted}'" for p in packages)
            fix = f"it needs {package.name}, which {package.lack}: pip install {wanted}"
            raise InvalidInput("target", name, fix)
    return found


def _numbers(version: str) -> tuple[int, ...]:
    """The release of a version (PEP 440), without zeros at its end: what is behind it never decides here."""
    release = re.match(r"(?:\d+!)?(\d+(?:\.\d+)*)", version)
    numbers = [int(n) for n in release[1].split(".")] if release else [0]
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)
