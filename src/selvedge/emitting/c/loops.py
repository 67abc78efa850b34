"""Expressions as C: one statement a step, loops around them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import prod
from typing import Any

from ...artifact.native import native_sources
from ...errors import NotSupported
from ...ir.op import TABLE
from ...planning.kernel import Argument, Expression, Literal, Operand, Reduction, Step, Temp

C_TYPES = {
    "float32": "real", "float64": "real", "int32": "int32_t", "uint16": "sv_uint16", "uint8": "uint8_t",
    "int8": "int8_t", "bool": "uint8_t",
}  # fmt: skip
COMPACT = ("to_bfloat16", "from_bfloat16", "quantize", "quantize_square", "dequantize", "dequantize_square")


def number(value: float) -> str:
    """A C constant of the real type that reads back as the same number."""
    if value != value:
        return "(real)NAN"
    if value in (float("inf"), float("-inf")):
        return "(real)INFINITY" if value > 0 else "(-(real)INFINITY)"
    text = f"(real){value!r}"
    return f"({text})" if value < 0 else text


def constant(dtype: str, value: float) -> str:
    """``value`` as numpy casts it to an array of ``dtype``."""
    if C_TYPES[dtype] == "real":
        return number(value)
    return str(int(bool(value)) if dtype == "bool" else int(value))


def _power(args: Sequence[str], attrs: Mapping[str, Any]) -> str:
    exponent = float(attrs["exponent"])
    if exponent == int(exponent) and 1 <= exponent <= 4:
        return " * ".join([args[0]] * int(exponent))
    return f"sv_pow({args[0]}, {number(exponent)})"


def _call(name: str, *keys: str) -> Callable[[Sequence[str], Mapping[str, Any]], str]:
    def text(args: Sequence[str], attrs: Mapping[str, Any]) -> str:
        return f"{name}({', '.join([*args, *(number(float(attrs[k])) for k in keys)])})"

    return text


def _infix(symbol: str) -> Callable[[Sequence[str], Mapping[str, Any]], str]:
    return lambda args, attrs: f"{args[0]} {symbol} {args[1]}"


def _truth(symbol: str) -> Callable[[Sequence[str], Mapping[str, Any]], str]:
    return lambda args, attrs: f"{args[0]} {symbol} {args[1]} ? (real)1 : (real)0"


def _gelu(suffix: str) -> Callable[[Sequence[str], Mapping[str, Any]], str]:
    def text(args: Sequence[str], attrs: Mapping[str, Any]) -> str:
        kind = "_tanh" if attrs["approximate"] == "tanh" else ""
        return f"sv_gelu{kind}{suffix}({', '.join(args)})"

    return text


# Rows that are no function of native/elementwise.h under their own name.
OPS: dict[str, Callable[[Sequence[str], Mapping[str, Any]], str]] = {
    "identity": lambda args, attrs: args[0],
    "convert": lambda args, attrs: args[0],
    "neg": lambda args, attrs: f"-{args[0]}",
    "add": _infix("+"),
    "sub": _infix("-"),
    "mul": _infix("*"),
    "div": _infix("/"),
    "less": _truth("<"),
    "less_equal": _truth("<="),
    "greater": _truth(">"),
    "greater_equal": _truth(">="),
    "equal": _truth("=="),
    "not_equal": _truth("!="),
    "detach": lambda args, attrs: args[0],
    "where": lambda args, attrs: f"{args[0]} != 0 ? {args[1]} : {args[2]}",
    "masked_grad": lambda args, attrs: f"{args[1]} ? {args[0]} : (real)0",
    "square": lambda args, attrs: f"{args[0]} * {args[0]}",
    "reciprocal": lambda args, attrs: f"1 / {args[0]}",
    "rsqrt": lambda args, attrs: f"1 / sv_sqrt({args[0]})",
    "power": _power,
    "abs": _call("sv_fabs"),
    "hardtanh": _call("sv_clamp", "min", "max"),
    "gelu": _gelu(""),
    "gelu_grad": _gelu("_grad"),
}


def spelling(op: str) -> Callable[[Sequence[str], Mapping[str, Any]], str]:
    """How the C target writes an elementwise row. Raises ``NotSupported`` for one that it has no function for."""
    if op in OPS:
        return OPS[op]
    if f"sv_{op}" not in _functions():
        raise NotSupported(op, "", f"write sv_{op} in native/elementwise.h")
    return _call(f"sv_{op}", *TABLE[op].numbers)


@cache
def _functions() -> frozenset[str]:
    """Names that the native headers give to scalar functions."""
    sources = native_sources()
    defined = re.findall(r"SV_INLINE real (sv_\w+)\(", sources["elementwise.h"])
    defined += re.findall(r"SV_INLINE real (sv_\w+)\(", sources["compact.h"])
    return frozenset(defined) | frozenset(re.findall(r"#define (sv_\w+) SV_MATH\(", sources["selvedge.h"]))


@dataclass(frozen=True, slots=True)
class Pointers:
    """C names of a kernel's reads and writes, their dtypes, and the name of the tile its producer makes."""

    reads: Sequence[str]
    read_dtypes: Sequence[str]
    writes: Sequence[str]
    write_dtypes: Sequence[str]
    raw: str = ""


def loop(expression: Expression, at: Pointers) -> list[str]:
    """The whole expression over its loops."""
    if expression.block:
        return block_loop(expression, at, "0", str(prod(expression.extents)))
    depth = len(expression.extents)
    lines = _open(expression.extents, "i")
    body = _steps(expression.steps, at, [f"i{d}" for d in range(depth)])
    dense, into = _dense(expression.extents), dict(expression.into)
    for write, step in expression.results:
        where = _index(into.get(write, dense), [f"i{d}" for d in range(depth)])
        body.append(f"{at.writes[write]}[{where}] = {_cast(at.write_dtypes[write], f't{step}')};")
    return _nest(lines, body, depth)


def block_loop(expression: Expression, at: Pointers, first: str, last: str) -> list[str]:
    """The elements ``first`` to ``last``, of the raw tile from its own first, by blocks: what is quantised waits on the
    stack until the largest of its block is known."""
    size, dense, into = expression.block, _dense(expression.extents), dict(expression.into)
    scales = {step: write for write, step in expression.scales}
    raw = "i" if first == "0" else f"i - {first}"

    def index(strides: tuple[int, ...]) -> str:
        if prod(expression.extents) == 1:
            return "0"  # an operand that is one number for all has the strides of one an element
        if strides == dense:
            return "i"
        terms = [
            f"{_axis(d, n)} * {s}" if s != 1 else _axis(d, n)
            for s, d, n in zip(strides, dense, expression.extents, strict=True) if s
        ]  # fmt: skip
        return " + ".join(terms) or "0"

    def load(a: Operand) -> str:
        if a.raw:
            return f"{at.raw}[{raw}]"
        return _load(at, a, f"b / {size}" if a.block else index(a.strides))

    body, closing, waiting = [], [], []
    for number_, step in enumerate(expression.steps):
        args = [load(a) if isinstance(a, Operand) else _argument(a) for a in step.args]
        if number_ in scales:
            codes = next(at.writes[w] for w, made in expression.results if made == number_)
            waiting.append(f"real q{number_}[{size}];")
            body.append(f"q{number_}[i - b] = {args[0]};")
            call = f"sv_{step.op}({codes} + b, q{number_}, e - b, {args[1]})"
            closing.append(f"{at.writes[scales[number_]]}[b / {size}] = {call};")
        else:
            body.append(f"const real t{number_} = {_apply(step, args)};")
    for write, made in expression.results:
        if made not in scales:
            body.append(
                f"{at.writes[write]}[{index(into.get(write, dense))}] = {_cast(at.write_dtypes[write], f't{made}')};"
            )
    head = [
        f"for (int32_t b = {first}; b < {last}; b += {size}) {{",
        f"const int32_t e = sv_min_int(b + {size}, {last});",
    ]
    return [*head, *waiting, "SV_IVDEP", "for (int32_t i = b; i < e; i++) {", *body, "}", *closing, "}"]


def _axis(stride: int, extent: int) -> str:
    """Where the flat element i lies on an axis."""
    return f"i / {stride} % {extent}" if stride > 1 else f"i % {extent}"


def tile_loop(expression: Expression, at: Pointers, base: str, count: str) -> list[str]:
    """The expression over ``count`` elements from element ``base`` on: pointers are to whole arrays, the raw tile's to
    its own first element. A second loop axis is the columns of a row."""
    assert not expression.block
    assert all(strides == _dense(expression.extents) for _, strides in expression.into), "a part in one piece"
    columns = expression.extents[-1] if len(expression.extents) > 1 else 0
    two = any(
        isinstance(a, Operand) and a.strides != _dense(expression.extents) and any(a.strides)
        for s in expression.steps for a in s.args
    )  # fmt: skip
    if not two:
        lines = ["SV_IVDEP", f"for (int32_t i = 0; i < {count}; i++) {{"]
        index = {"flat": f"{base} + i", "raw": "i", "column": ""}
    else:
        lines = [
            f"for (int32_t r = 0; r < {count}; r += {columns}) {{",
            "SV_IVDEP",
            f"for (int32_t i = 0; i < {columns}; i++) {{",
        ]
        index = {"flat": f"{base} + r + i", "raw": "r + i", "column": "i"}
    body: list[str] = []
    dense = _dense(expression.extents)
    for number_, step in enumerate(expression.steps):
        args = []
        for a in step.args:
            if isinstance(a, Operand):
                if a.raw:
                    args.append(f"{at.raw}[{index['raw']}]")
                elif a.strides == dense:
                    args.append(_load(at, a, index["flat"]))
                elif any(a.strides):
                    args.append(_load(at, a, index["column"]))
                else:
                    args.append(_load(at, a, "0"))
            else:
                args.append(_argument(a))
        body.append(f"const real t{number_} = {_apply(step, args)};")
    for write, made in expression.results:
        body.append(f"{at.writes[write]}[{index['flat']}] = {_cast(at.write_dtypes[write], f't{made}')};")
    return [*lines, *body, *["}"] * (2 if two else 1)]


def reduce_loop(expression: Expression, reduction: Reduction, at: Pointers) -> list[str]:
    """``out[a, b] = sum (or max) over r``. Over columns the sums are kept in the output; over a last axis in sixteen
    partial sums, so that the compiler may use vectors without reordering anything behind our back."""
    first, middle, last = reduction.split
    a, r, b = (
        expression.extents[:first],
        expression.extents[first : first + middle],
        expression.extents[first + middle :],
    )
    names = [f"i{d}" for d in range(len(expression.extents))]
    out_strides = _dense((*a, *b))
    out_index = _index(out_strides, [*names[:first], *names[first + middle :]])
    out = at.writes[0]
    summing = reduction.kind == "sum"
    total = "\n".join(_steps(expression.steps, at, names))
    value = f"t{reduction.step}"
    start = "0" if summing else "-(real)INFINITY"

    def merge(target: str, source: str) -> str:
        return f"{target} += {source};" if summing else f"{target} = sv_maximum({target}, {source});"

    if last:
        lines = _open(a, "i")
        size = 1
        for n in b:
            size *= n
        base = _index(out_strides[:first], names[:first]) if first else "0"
        lines.append(f"for (int32_t j = 0; j < {size}; j++) {out}[{base} + j] = {start};")
        lines += _open((*r, *b), "i", first)
        return _nest(lines, [total, merge(f"{out}[{out_index}]", value)], len(expression.extents))
    if not r:  # nothing to reduce over but axes of one element
        return _nest(_open(a, "i"), [total, f"{out}[{out_index}] = {value};"], first)
    inner = r[-1]
    lines = _open(a, "i")
    lines.append(f"real s[16]; for (int32_t j = 0; j < 16; j++) s[j] = {start};")
    lines += _open(r[:-1], "i", first)
    i = names[-1]
    whole = inner // 16 * 16
    body: list[str] = []
    if whole:
        body += [
            f"for (int32_t {i}0 = 0; {i}0 < {whole}; {i}0 += 16) {{",
            "SV_IVDEP",
            f"for (int32_t j = 0; j < 16; j++) {{ const int32_t {i} = {i}0 + j;",
            total,
            merge("s[j]", value),
            "} }",
        ]
    if whole < inner:
        body += [f"for (int32_t {i} = {whole}; {i} < {inner}; {i}++) {{", total, merge(f"s[{i} - {whole}]", value), "}"]
    closing = ["}"] * len(r[:-1])
    finish = [
        "for (int32_t half = 8; half > 0; half /= 2) for (int32_t j = 0; j < half; j++) { "
        + merge("s[j]", "s[j + half]")
        + " }",
        f"{out}[{out_index or '0'}] = s[0];",
    ]
    return [*lines, *body, *closing, *finish, *["}"] * first]


# -- pieces -----------------------------------------------------------------------------------------------------------


def _dense(extents: Sequence[int]) -> tuple[int, ...]:
    strides, step = [], 1
    for n in reversed(extents):
        strides.append(step)
        step *= n
    return tuple(reversed(strides))


def _index(strides: Sequence[int], names: Sequence[str]) -> str:
    terms = [n if s == 1 else f"{n} * {s}" for s, n in zip(strides, names, strict=True) if s]
    return " + ".join(terms) or "0"


def _open(extents: Sequence[int], prefix: str, start: int = 0) -> list[str]:
    lines = []
    for d, n in enumerate(extents):
        if d == len(extents) - 1:
            lines.append("SV_IVDEP")
        name = f"{prefix}{d + start}"
        lines.append(f"for (int32_t {name} = 0; {name} < {n}; {name}++) {{")
    return lines


def _nest(lines: list[str], body: Sequence[str], depth: int) -> list[str]:
    return [*lines, *body, *["}"] * depth]


def _load(at: Pointers, operand: Operand, index: str) -> str:
    name = at.reads[operand.read]
    if operand.packed:
        return f"({name}[({index}) >> 3] >> (({index}) & 7) & 1)"
    text = f"{name}[{index}]"
    return text if C_TYPES[at.read_dtypes[operand.read]] == "real" else f"(real){text}"


def _cast(dtype: str, text: str) -> str:
    kind = C_TYPES[dtype]
    return text if kind == "real" else f"({kind}){text}"


def _argument(argument: Argument) -> str:
    if isinstance(argument, Literal):
        return number(argument.value)
    assert isinstance(argument, Temp)
    return f"t{argument.index}"


def _apply(step: Step, args: Sequence[str]) -> str:
    return spelling(step.op)(args, dict(step.attrs))


def _steps(steps: Sequence[Step], at: Pointers, names: Sequence[str]) -> list[str]:
    lines = []
    for i, step in enumerate(steps):
        args = [_load(at, a, _index(a.strides, names)) if isinstance(a, Operand) else _argument(a) for a in step.args]
        lines.append(f"const real t{i} = {_apply(step, args)};")
    return lines
