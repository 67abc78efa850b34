"""A streamed run of kernels as C: a loop over images, a loop over steps, and in it each kernel over the rows that the
step asks of it (planning/stream.py). m0, m1, ...: rows of the image that each kernel has made;
e0, e1, ...: at the end of the step; b<value>: the first row that its window holds."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

from ...ir.graph import Spec
from ...planning.kernel import Kernel
from ...planning.rows import RowLocal, Taps, row_local
from .arguments import CONV_FIELDS
from .loops import C_TYPES, tile_loop
from .tiles import call, pointers_of


def streamed(kernel: Kernel, specs: Mapping[int, Spec]) -> list[str]:
    """The body; the whole arrays are x0, ... and y0, ..., the scratch is z. specs: of the whole arrays."""
    return _Stream(kernel, specs).lines()


class _Stream:
    def __init__(self, kernel: Kernel, specs: Mapping[int, Spec]) -> None:
        self.kernel = kernel
        self.windows = {w.value.id: w for w in kernel.windows}
        self.specs = {**specs, **{i: w.value.spec for i, w in self.windows.items()}}
        locals_ = [row_local(k, self.specs.__getitem__) for k in kernel.inner]
        assert all(one is not None for one in locals_)
        self.locals: list[RowLocal] = [one for one in locals_ if one is not None]
        self.maker = {w: j for j, k in enumerate(kernel.inner) for w in k.writes}
        self.names = {i: f"y{n}" for n, i in enumerate(kernel.writes)}
        self.names |= {i: f"x{n}" for n, i in enumerate(kernel.reads)}

    def lines(self) -> list[str]:
        inner, last = self.kernel.inner, len(self.kernel.inner) - 1
        rows = self.locals[last].rows
        held = [f"b{i}" for i, w in self.windows.items() if w.over is None]
        state = [f"{name} = 0" for name in (*(f"m{j}" for j in range(len(inner))), *held)]
        keep = list(chain.from_iterable(self._keep(i) for i in self.windows))
        return [
            f"for (int32_t n = 0; n < {self.kernel.params['images']}; n++) {{",
            f"int32_t {', '.join(state)};",
            f"while (m{last} < {rows}) {{",
            f"const int32_t e{last} = sv_min_int(m{last} + {self.kernel.params['rows']}, {rows});",
            *(self._target(j, f"e{last} == {rows}") for j in reversed(range(last))),
            *chain.from_iterable(self._kernel(j) for j in range(len(inner))),
            *keep,
            *(f"m{j} = e{j};" for j in range(len(inner))),
            "}",
            "}",
        ]

    def _readers(self, value: int) -> list[tuple[int, Taps]]:
        return [
            (j, taps)
            for j, k in enumerate(self.kernel.inner)
            for read, taps in zip(k.reads, self.locals[j].taps, strict=True)
            if read == value and taps is not None
        ]

    def _target(self, j: int, finished: str) -> str:
        needs = dict.fromkeys(
            f"e{i}" if _same(t) else f"sv_rows_stop(e{i}, {t.stride}, {t.pad}, {t.reach}, {t.rows})"
            for w in self.kernel.inner[j].writes
            for i, t in self._readers(w)
        )
        text = "0"
        for number, need in enumerate(needs):
            text = f"sv_max_int({text}, {need})" if number else need
        if any(w not in self.windows for w in self.kernel.inner[j].writes):
            text = f"{finished} ? {self.locals[j].rows} : {text}"
        return f"const int32_t e{j} = {text};"

    def _keep(self, value: int) -> list[str]:
        if self.windows[value].over is not None:
            return []
        j = self.maker[value]
        first = f"e{j}"
        for i, t in self._readers(value):
            start = f"e{i}" if _same(t) else f"sv_rows_start(e{i}, {t.stride}, {t.pad}, {t.rows})"
            if start != first:
                first = f"sv_min_int({first}, {start})"
        if first == f"e{j}":  # every row is used at once
            return [f"b{value} = {first};"]
        return [
            f"const int32_t f{value} = {first};",
            f"sv_keep_rows(z + {self.windows[value].offset}, {self._bytes(value)}, "
            f"f{value} - b{value}, e{j} - f{value});",
            f"b{value} = f{value};",
        ]

    # -- one kernel -------------------------------------------------------------------------------------------------

    def _kernel(self, j: int) -> list[str]:
        """Kernel j over the rows from k<j> to t<j>: the first of them is the first row of its image."""
        k, local = self.kernel.inner[j], self.locals[j]
        at = pointers_of(k, lambda i: self.specs[i].dtype)
        lines = [f"if (e{j} > m{j}) {{ /* {k.label} */"]
        rows = f"e{j} - m{j}"
        described: list[str] = []
        if "groups" in k.params:
            taps = local.taps[0]
            assert taps is not None
            part = {**k.params, "n": 1, "h": rows, "oh": rows}
            if not _same(taps):
                lines += [
                    f"const int32_t top = m{j} * {taps.stride} - {taps.pad};",
                    f"const int32_t to = sv_rows_stop(e{j}, {taps.stride}, {taps.pad}, {taps.reach}, {taps.rows});",
                    f"const int32_t first = sv_rows_start(m{j}, {taps.stride}, {taps.pad}, {taps.rows});",
                    "const int32_t from = sv_min_int(first, to);",
                ]
                part |= {"h": "to - from", "ph": "from - top"}
            described = [f"const sv_conv d = {{{', '.join(str(part[f]) for f in CONV_FIELDS)}}};"]
        for name, i, taps in zip(at.reads, k.reads, local.taps, strict=True):
            kind = f"const {C_TYPES[self.specs[i].dtype]} *const {name}"
            row = f"m{j}" if taps is None or _same(taps) else "from"
            lines.append(f"{kind} = {self.names[i] if taps is None else self._row(i, row, taps.rows)};")
        for name, i in zip(at.writes, k.writes, strict=True):
            lines.append(f"{C_TYPES[self.specs[i].dtype]} *const {name} = {self._row(i, f'm{j}', local.rows)};")
        if k.tile is not None and k.tile.staged:
            lines.append("real *const s = (real *)(void *)z;")
        if k.family == "loop":
            assert k.expression is not None
            elements = self.specs[k.writes[0]].size // (local.images * local.rows)
            lines += tile_loop(k.expression, at, "0", f"({rows}) * {elements}")
        else:
            lines += call(k, at, f"({rows}) * {local.line}" if local.line > 1 else rows, described)
        return [*lines, "}"]

    def _row(self, value: int, row: str, rows: int) -> str:
        """The address of row ``row`` of image n: of the ``rows`` of a whole array, or in the window."""
        while value in self.windows and (over := self.windows[value].over) is not None:
            value = over
        spec = self.specs[value]
        elements = spec.size // (self.locals[0].images * rows)
        window = self.windows.get(value)
        if window is None:
            return f"{self.names[value]} + (ptrdiff_t)(n * {rows} + {row}) * {elements}"
        base = f"({C_TYPES[spec.dtype]} *)(void *)(z + {window.offset})"
        return f"{base} + (ptrdiff_t)({row} - b{value}) * {elements}"

    def _bytes(self, value: int) -> int:
        """Of one row."""
        return self.specs[value].bytes // (self.locals[0].images * self.locals[self.maker[value]].rows)


def _same(taps: Taps) -> bool:
    """Output row y reads row y."""
    return (taps.stride, taps.pad, taps.reach) == (1, 0, 1)
