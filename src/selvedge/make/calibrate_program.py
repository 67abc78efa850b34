"""A plan whose kernels are to be timed, as C: the emitted unit in its checking build, and what calibrate.c asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..artifact.native import native_calibration
from ..artifact.schedule import Constant
from ..emitting.c import Description, bundle
from ..emitting.c.bundle import weights_header
from ..planning.schedule import Arrangement, Program

SMALL = 1e-6  # a learning rate at which thousands of steps change nothing


@dataclass(frozen=True, slots=True)
class Timeable:
    """``sources``: file name -> text, the harness included, the ports not. ``kernels``: how many each program has."""

    name: str
    digest: str
    sources: Mapping[str, str]
    kernels: tuple[int, ...]


def timeable(plan: Arrangement, name: str, stored: Mapping[str, np.ndarray] | None = None) -> Timeable:
    """``plan`` with its state as ``stored`` (random, unless given), ready to be built with a port."""
    if stored is None:
        rng = np.random.default_rng(0)
        stored = {n: _array(rng, s.shape, s.dtype) for n, s in plan.slots.items()}
    about = Description(name, {}, dict.fromkeys(plan.slots), (), Constant(SMALL), None, {})
    made = bundle(plan, stored, about)
    kernels = tuple(len(p.order()) for p in plan.programs.values())
    sources = {
        **made.sources,
        **native_calibration(),
        f"{name}_weights.h": weights_header(name, made.weights),
        "calibrate_plan.h": _glue(plan, name, kernels),
    }
    return Timeable(name, plan.digest(), sources, kernels)


def _array(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    if not dtype.startswith("float"):
        return np.zeros(shape, dtype)
    return (0.5 * rng.random(shape)).astype(dtype)  # squares and variances among them: nothing below 0


def _glue(plan: Arrangement, name: str, kernels: tuple[int, ...]) -> str:
    fills = [
        f"    case {i}:\n" + "".join(f"        {line}\n" for line in _inputs(p)) + "        break;\n"
        for i, p in enumerate(plan.programs.values())
    ]
    calls = [f"    case {i}: return {name}_{p}(c);\n" for i, p in enumerate(plan.programs)]
    return (
        "/* What calibrate.c asks of the plan; generated. */\n"
        f'#include "{name}.h"\n#include "{name}_weights.h"\n\n'
        f"#define PLAN(what) {name}_##what\n"
        f'#define CALIBRATE_DIGEST "{plan.digest()}"\n'
        f"#define CALIBRATE_PROGRAMS {len(kernels)}\n#define CALIBRATE_KERNELS {sum(kernels)}\n\n"
        f"#define calibrate_weights {name}_weights\n"
        f"static unsigned char calibrate_arena[{max(1, plan.memory.arena)}] "
        f"__attribute__((aligned({max(8, plan.align)})));\n"
        f"static const int32_t calibrate_kernels[] = {{{', '.join(map(str, kernels))}}};\n\n"
        "/* Numbers in [0, 1), the same every time. */\n"
        "static void calibrate_reals(unsigned char *at, int32_t n)\n{\n"
        f"    {'double' if plan.dtype == 'float64' else 'float'} *const x = "
        f"({'double' if plan.dtype == 'float64' else 'float'} *)(void *)at;\n"
        "    uint32_t state = 1;\n"
        "    for (int32_t i = 0; i < n; i++) {\n"
        "        state = state * 1664525U + 1013904223U;\n"
        "        x[i] = (float)(state >> 8) / 16777216.0f;\n    }\n}\n\n"
        "static void calibrate_zeros(unsigned char *at, int32_t n)\n{\n"
        "    for (int32_t i = 0; i < n; i++) at[i] = 0;\n}\n\n"
        f"static void calibrate_fill({name}_context *c, int32_t program)\n{{\n"
        f"    switch (program) {{\n{''.join(fills)}    default: break;\n    }}\n}}\n\n"
        f"static int32_t calibrate_call({name}_context *c, int32_t program)\n{{\n"
        f"    switch (program) {{\n{''.join(calls)}    default: return -1;\n    }}\n}}\n"
    )


def _inputs(p: Program) -> list[str]:
    lines = []
    for name, i in p.inputs.items():
        spec = p.instances[i].spec
        at = f"c->arena + {p.offsets[i]}"
        if name == "lr":
            kind = "double" if spec.dtype == "float64" else "float"
            lines.append(f"*({kind} *)(void *)({at}) = {SMALL!r}f;")
        elif spec.is_float:
            lines.append(f"calibrate_reals({at}, {spec.size});")
        else:
            lines.append(f"calibrate_zeros({at}, {spec.bytes});")
    return lines or ["(void)c;"]
