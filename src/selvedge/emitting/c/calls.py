"""The lowering table of the C target: kernel family -> header and call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...ir.op import TABLE
from ...ir.ops.chance import threshold
from ...planning.sparse_sizes import is_flat
from .arguments import CONV_FIELDS, Arguments, Row, table, windows
from .integer_calls import INTEGER
from .loops import C_TYPES, constant, number


def longest_window(params: Mapping[str, Any]) -> int:
    """The largest number in a pool's tables; 0 if there are none."""
    tables = (*params.get("windows_h", ()), *params.get("windows_w", ()))
    counts = (*params.get("counts_h", ()), *params.get("counts_w", ()))
    return max((*(n for window in tables for n in window), *counts), default=0)


def _conv(call: Callable[[Arguments], str]) -> Callable[[Arguments], list[str]]:
    def lines(a: Arguments) -> list[str]:
        values = ", ".join(str(a.params[f]) for f in CONV_FIELDS)
        return [f"static const sv_conv d = {{{values}}}; /* {', '.join(CONV_FIELDS)} */", call(a)]

    return lines


def _input_grad_onto(a: Arguments) -> list[str]:
    """The sum takes the place of its operand, or that is copied first."""
    call = _conv(
        lambda a: f"sv_conv2d_input_grad_onto({a.out}, {a.reads[0]}, {a.reads[1]}, &d, {a.zeros}, {a.scratch});"
    )
    p = a.params
    size = p["n"] * p["h"] * p["w"] * p["c"]
    return [f"if ({a.out} != {a.reads[2]}) memcpy({a.out}, {a.reads[2]}, {size} * sizeof *{a.out});", *call(a)]


def _pool(call: Callable[[Arguments, str], str]) -> Callable[[Arguments], list[str]]:
    def lines(a: Arguments) -> list[str]:
        p = a.params
        text = windows(p)
        if "counts_h" in p:
            text += [table("ch", "sv_window", p["counts_h"]), table("cw", "sv_window", p["counts_w"])]
        return [*text, call(a, ", ".join(str(p[k]) for k in ("n", "h", "w", "c", "oh", "ow")))]

    return lines


def _max_pool(a: Arguments, dims: str) -> str:
    index = a.writes[1] if len(a.writes) > 1 else "0"
    return f"sv_max_pool({a.writes[0]}, {index}, {a.reads[0]}, {dims}, wh, ww);"


def _shapes(call: Callable[[Arguments, int], str], *keys: str) -> Callable[[Arguments], list[str]]:
    def lines(a: Arguments) -> list[str]:
        return [
            *(table(k, "int32_t", a.params[k]) for k in keys),
            call(a, len(a.params["shape"])),
        ]

    return lines


def _item(a: Arguments) -> str:
    return f"(int32_t)sizeof *{a.out}"


def _pad(a: Arguments) -> list[str]:
    value = constant(a.dtype, a.params["value"])
    return [
        *(table(k, "int32_t", a.params[k]) for k in ("shape", "before", "after")),
        f"static const {C_TYPES[a.dtype]} value = {value};",
        f"sv_pad({a.out}, {a.reads[0]}, {len(a.params['shape'])}, shape, before, after, &value, {_item(a)});",
    ]


def _rows(name: str) -> Callable[[Arguments], list[str]]:
    return lambda a: [f"{name}({a.out}, {', '.join(a.reads)}, {a.params['rows']}, {a.params['n']});"]


def _concat(a: Arguments) -> list[str]:
    p = a.params
    total, at, lines = sum(p["inner"]), 0, []
    for source, inner in zip(a.reads, p["inner"], strict=True):
        lines.append(
            f"for (int32_t o = 0; o < {p['outer']}; o++) "
            f"memcpy({a.out} + o * {total} + {at}, {source} + o * {inner}, {inner} * sizeof *{a.out});"
        )
        at += inner
    return lines


def _pack_mask(a: Arguments) -> list[str]:
    p = a.params
    numbers = [number(float(p[field])) for field in TABLE[p["of"]].numbers]
    return [f"sv_pack_mask_{p['of']}({', '.join([a.writes[0], a.reads[0], str(p['size']), *numbers])});"]


def _indexed(name: str, at: int) -> Callable[[Arguments], list[str]]:
    """A call by the numbers in operand ``at``, which are checked first."""

    def lines(a: Arguments) -> list[str]:
        p, index = a.params, a.reads[at]
        count = p["picks"] * (p["a"] if p["step"] else 1)
        numbers = ", ".join(str(p[k]) for k in ("a", "table", "picks", "c", "step", "skip") if k in p)
        known = f"sv_indices_in({index}, {count}, {p['table']})"
        if "ignored" in p:
            known = f"sv_indices_or({index}, {count}, {p['table']}, {p['ignored']})"
        checked = f"if (!{known}) return SELVEDGE_BAD_INDEX;"
        if name == "sv_take" and "ignored" in p:
            return [checked, f"sv_take_or({a.out}, {a.reads[0]}, {index}, {numbers}, {p['ignored']});"]
        if name == "sv_scatter_onto":
            size = p["a"] * p["table"] * p["c"]
            copied = f"if ({a.out} != {a.reads[0]}) memcpy({a.out}, {a.reads[0]}, {size} * sizeof *{a.out});"
            return [checked, copied, f"{name}({a.out}, {a.reads[1]}, {index}, {numbers});"]
        return [checked, f"{name}({a.out}, {a.reads[0]}, {index}, {numbers});"]

    return lines


def _dropout(a: Arguments) -> list[str]:
    p = a.params["p"]
    sizes = ", ".join(str(a.params[k]) for k in ("a", "table", "c", "whole"))
    drawn = f"{threshold(p)}u, {number(1 / (1 - p))}, {a.params['salt']}u"
    return [f"sv_dropout({a.out}, {', '.join(a.reads)}, {sizes}, {drawn});"]


def _resample(a: Arguments) -> list[str]:
    p = a.params
    text = [table(k, "int32_t", p[k]) for k in ("starts", "index")]
    if p["weights"]:
        text.append(f"static const real weights[] = {{{', '.join(map(number, p['weights']))}}};")
    numbers = ", ".join(str(p[k]) for k in ("a", "table", "picks", "c"))
    return [
        *text,
        f"sv_resample({a.out}, {a.reads[0]}, {numbers}, starts, index, {'weights' if p['weights'] else '0'});",
    ]


SEQUENCE_FIELDS = ("steps", "batch", "hidden", "sample", "step", "reverse")


def _recurrent(call: Callable[[Arguments], str]) -> Callable[[Arguments], list[str]]:
    def lines(a: Arguments) -> list[str]:
        values = ", ".join(str(a.params[f]) for f in SEQUENCE_FIELDS)
        return [f"static const sv_sequence q = {{{values}}}; /* {', '.join(SEQUENCE_FIELDS)} */", call(a)]

    return lines


def _saved(a: Arguments, at: int) -> str:
    """What the gradient wants of the gates, where anything does."""
    return a.writes[at] if len(a.writes) > at else "0"


def _sparse(family: str) -> Callable[[Arguments], list[str]]:
    def call(a: Arguments) -> str:
        zeros = "" if family != "sparse_pixels" else "0, " if is_flat(a.params) else f"{a.zeros}, "
        return f"sv_{family}({a.out}, {', '.join(a.reads)}, &d, {zeros}{a.scratch}, {a.first}, {a.last});"

    return _conv(call)


FAMILIES: dict[str, Row] = {
    **INTEGER,
    "conv2d": Row(
        "conv.h",
        _conv(lambda a: f"sv_conv2d({a.out}, {a.reads[0]}, {a.reads[1]}, &d, {a.zeros}, {a.first}, {a.last});"),
        lambda p: p["c"] // p["groups"],
    ),
    "conv2d_input_grad": Row(
        "conv.h",
        _conv(lambda a: f"sv_conv2d_input_grad({a.out}, {a.reads[0]}, {a.reads[1]}, &d, {a.zeros}, {a.scratch});"),
        lambda p: p["k"] // p["groups"],
    ),
    "conv2d_input_grad_onto": Row("conv.h", _input_grad_onto, lambda p: p["k"] // p["groups"]),
    "conv2d_weight_grad": Row(
        "conv.h",
        _conv(lambda a: f"sv_conv2d_weight_grad({a.out}, {a.reads[0]}, {a.reads[1]}, &d, {a.first}, {a.last});"),
    ),
    "depthwise": Row(
        "depthwise.h",
        _conv(lambda a: f"sv_depthwise({a.out}, {a.reads[0]}, {a.reads[1]}, &d, {a.first}, {a.last});"),
    ),
    "depthwise_input_grad": Row(
        "depthwise.h", _conv(lambda a: f"sv_depthwise_input_grad({a.out}, {a.reads[0]}, {a.reads[1]}, &d);")
    ),
    "depthwise_weight_grad": Row(
        "depthwise.h",
        _conv(lambda a: f"sv_depthwise_weight_grad({a.out}, {a.reads[0]}, {a.reads[1]}, &d, {a.first}, {a.last});"),
    ),
    "matmul": Row(
        "matmul.h",
        lambda a: [
            f"sv_matmul({a.out}, {a.reads[0]}, {a.reads[1]}, "
            + ", ".join(str(a.params[k]) for k in ("batch", "m", "n", "k", "trans_a", "trans_b"))
            + ");"
        ],
    ),
    "sparse_rows": Row("sparse.h", _sparse("sparse_rows")),
    "sparse_pixels": Row("sparse_pixels.h", _sparse("sparse_pixels"), lambda p: 0 if is_flat(p) else p["c"]),
    "sparse_lanes": Row("sparse_lanes.h", _sparse("sparse_lanes")),
    "max_pool": Row("pool.h", _pool(_max_pool)),
    "max_pool_grad": Row(
        "pool.h", _pool(lambda a, n: f"sv_max_pool_grad({a.out}, {a.reads[0]}, {a.reads[1]}, {n}, wh, ww);")
    ),
    "avg_pool": Row("pool.h", _pool(lambda a, n: f"sv_avg_pool({a.out}, {a.reads[0]}, {n}, wh, ww, ch, cw);")),
    "avg_pool_grad": Row(
        "pool.h", _pool(lambda a, n: f"sv_avg_pool_grad({a.out}, {a.reads[0]}, {n}, wh, ww, ch, cw);")
    ),
    "softmax": Row("softmax.h", _rows("sv_softmax")),
    "softmax_grad": Row("softmax.h", _rows("sv_softmax_grad")),
    "log_softmax": Row("softmax.h", _rows("sv_log_softmax")),
    "log_softmax_grad": Row("softmax.h", _rows("sv_log_softmax_grad")),
    "cross_entropy": Row(
        "softmax.h",
        lambda a: [
            f"for (int32_t i = 0; i < {a.params['rows']}; i++) "
            f"if (({a.reads[1]}[i] < 0 && {a.reads[1]}[i] != SV_IGNORED) || {a.reads[1]}[i] >= {a.params['n']}) "
            "return SELVEDGE_BAD_LABEL;",
            f"sv_cross_entropy({a.writes[0]}, {a.writes[1]}, {a.reads[0]}, {a.reads[1]}, {a.params['rows']}, "
            f"{a.params['n']}, {number(a.params['smoothing'])});",
        ],
    ),
    "cross_entropy_grad": Row(
        "softmax.h",
        lambda a: [
            f"sv_cross_entropy_grad({a.out}, {a.reads[0]}, {a.reads[1]}, {a.reads[2]}, {a.params['rows']}, "
            f"{a.params['n']}, {number(a.params['smoothing'])});"
        ],
    ),
    "ctc": Row(
        "ctc.h",
        lambda a: [
            f"for (int32_t i = 0; i < {a.params['n'] * a.params['longest']}; i++) "
            f"if ({a.reads[1]}[i] >= {a.params['classes']}) return SELVEDGE_BAD_LABEL;",
            f"sv_ctc({a.writes[0]}, {a.writes[1]}, {a.reads[0]}, {a.reads[1]}, "
            + ", ".join(str(a.params[k]) for k in ("n", "steps", "classes", "longest", "blank", "zero"))
            + f", {a.scratch});",
        ],
    ),
    "normalize": Row(
        "normalize.h",
        lambda a: [
            f"sv_normalize({a.writes[0]}, {a.writes[1]}, {a.reads[0]}, "
            + ", ".join(str(a.params[k]) for k in "abgd")
            + f", {number(a.params['eps'])});"
        ],
    ),
    "normalize_grad": Row(
        "normalize.h",
        lambda a: [
            f"sv_normalize_grad({a.out}, {', '.join(a.reads)}, " + ", ".join(str(a.params[k]) for k in "abgd") + ");"
        ],
    ),
    "pack_mask": Row("saved.h", _pack_mask),
    "quantize_channels": Row(
        "saved.h",
        lambda a: [
            f"sv_quantize_channels({a.writes[0]}, {a.writes[1]}, {a.reads[0]}, {a.params['rows']}, {a.params['n']});"
        ],
    ),
    "transpose": Row(
        "move.h",
        _shapes(
            lambda a, rank: f"sv_transpose({a.out}, {a.reads[0]}, {rank}, shape, perm, {_item(a)});",
            "shape",
            "perm",
        ),
    ),
    "slice": Row(
        "move.h",
        _shapes(
            lambda a, rank: f"sv_slice({a.out}, {a.reads[0]}, {rank}, shape, out, starts, steps, {_item(a)});",
            "shape",
            "out",
            "starts",
            "steps",
        ),
    ),
    "unslice": Row(
        "move.h",
        _shapes(
            lambda a, rank: f"sv_unslice({a.out}, {a.reads[0]}, {rank}, out, shape, starts, steps, {_item(a)});",
            "shape",
            "out",
            "starts",
            "steps",
        ),
    ),
    "pad": Row(
        "move.h",
        _pad,
    ),
    "concat": Row("move.h", _concat),
    "take": Row("index.h", _indexed("sv_take", 1)),
    "scatter_add": Row("index.h", _indexed("sv_scatter_add", 1)),
    "scatter_onto": Row("index.h", _indexed("sv_scatter_onto", 2)),
    "resample": Row("along.h", _resample),
    "cumsum": Row(
        "along.h",
        lambda a: [
            f"sv_cumsum({a.out}, {a.reads[0]}, "
            + ", ".join(str(a.params[k]) for k in ("a", "table", "c", "reverse"))
            + ");"
        ],
    ),
    "dropout": Row("chance.h", _dropout),
    "rnn": Row("recurrent.h", _recurrent(lambda a: f"sv_rnn({a.out}, {', '.join(a.reads)}, &q, {a.params['relu']});")),
    "rnn_grad": Row(
        "recurrent.h",
        _recurrent(lambda a: f"sv_rnn_grad({', '.join([*a.writes, *a.reads])}, &q, {a.params['relu']});"),
    ),
    "gru": Row(
        "recurrent.h", _recurrent(lambda a: f"sv_gru({a.out}, {_saved(a, 1)}, {', '.join(a.reads)}, &q, {a.scratch});")
    ),
    "gru_grad": Row(
        "recurrent.h", _recurrent(lambda a: f"sv_gru_grad({', '.join([*a.writes, *a.reads])}, &q, {a.scratch});")
    ),
    "lstm": Row(
        "recurrent.h",
        _recurrent(
            lambda a: f"sv_lstm({a.out}, {a.writes[1]}, {_saved(a, 2)}, {', '.join(a.reads)}, &q, {a.scratch});"
        ),
    ),
    "lstm_grad": Row("recurrent.h", _recurrent(lambda a: f"sv_lstm_grad({', '.join([*a.writes, *a.reads])}, &q);")),
    "copy": Row("move.h", lambda a: [f"memcpy({a.out}, {a.reads[0]}, {a.params['bytes']});"]),
}
