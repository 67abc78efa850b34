"""The lowering table's int8 rows."""

from __future__ import annotations

from collections.abc import Callable

from .arguments import CONV_FIELDS, Arguments, Row, table, windows

SCALED = ("x_zero", "w_zero", "y_zero", "low", "high")


def _scaled(a: Arguments) -> str:
    return f"static const sv_int8 q = {{{', '.join(str(a.params[f]) for f in SCALED)}}}; /* {', '.join(SCALED)} */"


def _conv(call: Callable[[Arguments], str]) -> Callable[[Arguments], list[str]]:
    def lines(a: Arguments) -> list[str]:
        values = ", ".join(str(a.params[f]) for f in CONV_FIELDS)
        return [f"static const sv_conv d = {{{values}}}; /* {', '.join(CONV_FIELDS)} */", _scaled(a), call(a)]

    return lines


def _operands(a: Arguments) -> str:
    """x, the weights, the bias or 0, the scales."""
    reads = list(a.reads)
    return ", ".join(reads if a.params.get("bias", 1) else [*reads[:2], "0", *reads[2:]])


def _linear(a: Arguments) -> list[str]:
    sizes = ", ".join(str(a.params[k]) for k in ("rows", "c", "k"))
    return [_scaled(a), f"sv_int8_linear_plain({a.out}, {_operands(a)}, {sizes}, &q);"]


def _packed(a: Arguments) -> str:
    wide = "_wide" if a.params.get("wide") else ""
    return f"sv_{a.kernel.family}{wide}({a.out}, {_operands(a)}, &d, &q, {a.scratch});"


def _ring(a: Arguments) -> str:
    """The scratch, or 0 where the fast kernel is not to be taken."""
    return "0" if a.kernel.scratch is None else a.scratch


def _two(a: Arguments) -> list[str]:
    p = a.params
    each = ", ".join("{" + ", ".join(map(str, one)) + "}" for one in p["operands"])
    return [
        *(table(n, "int32_t", p[k]) for n, k in (("shape", "shape"), ("as", "a_strides"), ("bs", "b_strides"))),
        f"static const sv_int8_operand by[] = {{{each}}}; /* zero point, multiplier, shift */",
        _scaled(a),
        f"sv_{a.kernel.family}({a.out}, {', '.join(a.reads)}, {len(p['shape'])}, shape, as, bs, by, &q);",
    ]


def _pool(call: Callable[[Arguments, str], str]) -> Callable[[Arguments], list[str]]:
    def lines(a: Arguments) -> list[str]:
        return [*windows(a.params), call(a, ", ".join(str(a.params[k]) for k in ("n", "h", "w", "c", "oh", "ow")))]

    return lines


def _max_pool(a: Arguments, sizes: str) -> str:
    index = a.writes[1] if len(a.writes) > 1 else "0"
    return f"sv_int8_max_pool({a.writes[0]}, {index}, {a.reads[0]}, {sizes}, wh, ww);"


def _average_pool(a: Arguments, sizes: str) -> str:
    return f"sv_int8_average_pool({a.out}, {a.reads[0]}, {sizes}, wh, ww, {a.params['low']}, {a.params['high']});"


def _mean(a: Arguments) -> list[str]:
    numbers = ", ".join(str(a.params[k]) for k in ("a", "r", "c", "multiplier", "shift"))
    return [_scaled(a), f"sv_int8_mean({a.out}, {a.reads[0]}, {numbers}, &q);"]


def _softmax(a: Arguments) -> list[str]:
    numbers = ", ".join(str(a.params[k]) for k in ("rows", "n", "multiplier", "shift", "least"))
    return [f"sv_int8_softmax({a.out}, {a.reads[0]}, {numbers});"]


def _convert(name: str) -> Callable[[Arguments], list[str]]:
    def lines(a: Arguments) -> list[str]:
        p = a.params
        return [f"{name}({a.out}, {a.reads[0]}, {p['size']}, {p['scale']!r}f, {p['zero']});"]

    return lines


def _nearest(a: Arguments) -> list[str]:
    p = a.params
    rows, columns = p["picked_rows"], p["picked_columns"]
    sizes = ", ".join(map(str, (p["n"], p["h"], p["w"], len(rows), len(columns))))
    return [
        table("rows", "int32_t", rows),
        table("columns", "int32_t", columns),
        f"sv_nearest({a.out}, {a.reads[0]}, {sizes}, rows, columns, {p['c']} * (int32_t)sizeof *{a.out});",
    ]


INTEGER: dict[str, Row] = {
    "quantise": Row("int8_elementwise.h", _convert("sv_int8_quantise")),
    "dequantise": Row("int8_elementwise.h", _convert("sv_int8_dequantise")),
    "int8_conv2d": Row("int8_conv.h", _conv(_packed)),
    "int8_linear": Row("int8_conv.h", _conv(_packed)),
    "int8_conv2d_plain": Row("int8_conv.h", _conv(lambda a: f"sv_int8_conv2d_plain({a.out}, {_operands(a)}, &d, &q);")),
    "int8_linear_plain": Row("int8_conv.h", _linear),
    "int8_depthwise": Row(
        "int8_depthwise.h",
        _conv(lambda a: f"sv_int8_depthwise({a.out}, {_operands(a)}, &d, &q, {_ring(a)});"),
    ),
    "int8_table": Row(
        "int8_elementwise.h",
        lambda a: [f"sv_int8_table({a.out}, {', '.join(a.reads)}, {a.params['size']});"],
    ),
    "int8_add": Row("int8_elementwise.h", _two),
    "int8_mul": Row("int8_elementwise.h", _two),
    "int8_max_pool": Row("int8_pool.h", _pool(_max_pool)),
    "int8_average_pool": Row("int8_pool.h", _pool(_average_pool)),
    "int8_mean": Row("int8_pool.h", _mean),
    "int8_softmax": Row("int8_softmax.h", _softmax),
    "nearest": Row("move.h", _nearest),
}
