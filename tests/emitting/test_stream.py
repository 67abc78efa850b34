"""Streamed runs as C: no warning from either compiler, nothing for the sanitizers."""

from __future__ import annotations

from pathlib import Path

import pytest

from selvedge.emitting.c import Bundle
from selvedge.planning.schedule import Arrangement
from selvedge.planning.stream import stream
from tests.planning.chains import arranged, fixed_chain

from .test_c_quality import COMPILERS, LIBC, SANITIZE, WARNINGS, gcc_and_zig, lay, run, undefined_symbols, vectors


def streamed() -> tuple[Arrangement, Bundle]:
    chain = fixed_chain()
    whole = chain.lowered()
    ids = [k.id for k in whole.kernels]
    return arranged(chain, {"whole": whole, "few": stream(whole, ids, 1), "many": stream(whole, ids, 5)})


def driver(plan: Arrangement, made: Bundle) -> str:
    """Every program in a block of exactly the promised bytes; each has to make what the first one makes."""
    ports = [(n, p.offsets[p.inputs["x"]], p.offsets[p.outputs["out"]]) for n, p in plan.programs.items()]
    i = next(iter(plan.programs.values()))
    into, out = i.instances[i.inputs["x"]].spec, i.instances[i.outputs["out"]].spec
    calls = "".join(
        f"    for (int i = 0; i < {into.size}; i++) ((float *)(void *)(arena + {x}))[i] = (float)(i % 17) - 8.0f;\n"
        f"    if (model_{name}(&c)) return 1;\n"
        f"    {'memcpy(first, arena' if not n else 'if (memcmp(first, arena'} + {y}, {out.bytes})"
        f"{';' if not n else f') return {n + 1};'}\n"
        for n, (name, x, y) in enumerate(ports)
    )
    return (
        '#include <stdlib.h>\n#include "model.c"\n#include "model_weights.h"\n'
        f"int main(void)\n{{\n    static unsigned char first[{out.bytes}];\n    model_context c;\n"
        f"    unsigned char *arena = malloc({plan.memory.arena});\n"
        f"    model_init(&c, arena, model_weights);\n{calls}    free(arena);\n    return 0;\n}}\n"
    )


@gcc_and_zig
@pytest.mark.parametrize("level", ["-O1", "-O2", "-O3"])
def test_no_warning_and_nothing_but_memory(tmp_path: Path, level: str, compiler: str) -> None:
    _, made = streamed()
    run(
        *COMPILERS[compiler], *WARNINGS, "-Wshadow=local" if compiler == "gcc" else "-Wall", level, vectors(made),
        "-c", lay(made, tmp_path), "-o", tmp_path / "model.o",
    )  # fmt: skip
    assert undefined_symbols(tmp_path / "model.o") <= LIBC


def test_sanitizers_find_nothing_and_the_bits_are_the_same(tmp_path: Path) -> None:
    plan, made = streamed()
    lay(made, tmp_path)
    (tmp_path / "main.c").write_text(driver(plan, made))
    run("gcc", "-std=c99", *SANITIZE, vectors(made), tmp_path / "main.c", "-o", tmp_path / "main", "-lm")
    run(tmp_path / "main")
