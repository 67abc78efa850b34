"""An arrangement printed as C99: one function a kernel, one function a program, a header with every offset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod

from ...artifact.face import port_line, size_line
from ...artifact.layout import Layout
from ...artifact.preprocess import Preprocess
from ...planning.kernel import FLASH, STATE, Kernel
from ...planning.schedule import Arrangement, Compute, Program
from .calls import FAMILIES, longest_window
from .loops import C_TYPES, COMPACT, loop, number, reduce_loop
from .stream import streamed
from .tiles import call, pointers_of, whole_units

STATUS = ("OK", "NOT_FINITE", "BAD_LABEL", "STORAGE", "TORN", "BAD_INDEX")


def header(
    plan: Arrangement,
    name: str,
    preprocess: Preprocess | None,
    layouts: Mapping[str, Mapping[str, Layout]] | None = None,
) -> str:
    """The public face of the emitted step. layouts: program -> input or output -> how it is stored."""
    upper = name.upper()
    m = plan.memory
    lines = [
        f"/* {name}: a training step in one arena. Plan {plan.digest()}.",
        " * Give every program its inputs at the offsets below, call it, read its outputs at theirs.",
        " * All arrays are dense, images NHWC. Every call returns a SELVEDGE_ status. */",
        f"#ifndef SELVEDGE_MODEL_{upper}_H",
        f"#define SELVEDGE_MODEL_{upper}_H",
        "",
        "#include <stdint.h>",
        "",
        size_line(name, "ARENA_BYTES", m.arena),
        "/* What was learnt is the first so many bytes of the arena: keep them, and copy them back after init. */",
        size_line(name, "PERSISTENT_BYTES", m.persistent),
        size_line(name, "WEIGHTS_BYTES", m.weights),
        *([size_line(name, "STORAGE_BYTES", m.storage)] if m.storage else []),
        size_line(name, "ALIGNMENT", plan.align),
        "",
        "/* Where inputs and outputs lie: bytes from the start of the arena. */",
    ]
    for p in plan.programs.values():
        for kind, entries in (("input", p.inputs), ("output", p.outputs)):
            for key, i in entries.items():
                spec, layout = p.instances[i].spec, (layouts or {}).get(p.name, {}).get(key)
                shape = layout.shape if layout else spec.shape
                lines.append(port_line(name, p.name, kind, key, p.offsets[i], spec.dtype, shape))
    lines += [
        "",
        "#ifndef SELVEDGE_STATUS /* the same for every model */",
        "#define SELVEDGE_STATUS",
        "enum {",
        *(f"    SELVEDGE_{s} = {i}," for i, s in enumerate(STATUS)),
        "};",
        "#endif",
        "",
        *(STORAGE if m.storage else ()),
        "#ifdef __cplusplus",
        'extern "C" {',
        "#endif",
        "",
        "typedef struct {",
        "    unsigned char *arena;         /* ARENA_BYTES, aligned to ALIGNMENT */",
        "    const unsigned char *weights; /* WEIGHTS_BYTES: frozen weights and initial values; may lie in flash */",
        *(
            (
                "    const selvedge_storage *storage; /* STORAGE_BYTES of it */",
                "    int32_t torn; /* storage failed in the middle of an update */",
            )
            if m.storage
            else ()
        ),
        "#ifdef SELVEDGE_CHECK",
        "    void (*hook)(int32_t program, int32_t event); /* before (event) and after (-1 - event) each kernel */",
        "#endif",
        f"}} {name}_context;",
        "",
        "/* Sets the trainable state to its initial values. */",
        f"void {name}_init({name}_context *c, void *arena, const void *weights);",
    ]
    if m.storage:
        lines += [
            "/* After init: where values are paged out to. Without it every program returns SELVEDGE_STORAGE. */",
            f"void {name}_attach({name}_context *c, const selvedge_storage *storage);",
            "/* After SELVEDGE_TORN every program refuses, until a good persistent part is back in the arena and this",
            " * is called, or init. */",
            f"void {name}_restored({name}_context *c);",
        ]
    lines += [f"int32_t {name}_{p.name}({name}_context *c);" for p in plan.programs.values()]
    if preprocess is not None:
        lines.append("/* Writes raw bytes as the program's input x: x = byte * scale + offset. */")
        lines += [
            f"void {name}_{p.name}_load({name}_context *c, const uint8_t *bytes);"
            for p in plan.programs.values()
            if "x" in p.inputs
        ]
    lines += ["", "#ifdef __cplusplus", "}", "#endif", "", "#endif", ""]
    return "\n".join(lines)


def source(
    plan: Arrangement, name: str, preprocess: Preprocess | None, layouts: Mapping[str, Layout] | None = None
) -> str:
    """The translation unit: include it in a build with the native headers beside it. layouts: program -> that of its
    input "x"."""
    bodies: list[str] = []
    headers: set[str] = set()
    functions: dict[tuple[str, ...], str] = {}  # what a kernel does, at which bytes -> the function that does it
    zeros = window = 0
    for p in plan.programs.values():
        names: dict[int, str] = {}
        for kernel_id in p.order():
            kernel = p.kernels[kernel_id]
            if kernel.family in PAGES:
                continue
            if kernel.inner:
                headers.add("stream.h")
            for one in kernel.inner or (kernel,):
                row = FAMILIES.get(one.family)
                if row is not None:
                    headers.add(row.header)
                    zeros = max(zeros, row.zeros(one.params))
                    window = max(window, longest_window(one.params))
                if one.expression is not None:
                    headers.add("elementwise.h")
                    headers |= {"compact.h" for step in one.expression.steps if step.op in COMPACT}
            comment, signature, *body = _kernel(plan, p, kernel)
            names[kernel_id] = functions.setdefault(tuple(body), _function(p, kernel))
            if names[kernel_id] == _function(p, kernel):
                bodies += [comment, signature, *body, ""]
        bodies += [*_program(plan, p, name, list(plan.programs).index(p.name), names), ""]
    real = "double" if plan.dtype == "float64" else "float"
    lines = [
        f"/* {name}: emitted from plan {plan.digest()}; do not edit. */",
        "#ifndef SV_REAL",
        f"#define SV_REAL {real}",
        "#endif",
        "#ifndef SV_VECTOR_BYTES",
        f"#define SV_VECTOR_BYTES {_vector_bytes(plan)} /* the plan's scratch was counted for it */",
        "#endif",
        *(("#define SV_WINDOW int32_t /* a pool reaches beyond 32767 */",) if window > 32767 else ()),
        "#if defined(__clang__)",
        '#pragma clang diagnostic ignored "-Wpass-failed" /* SV_IVDEP allows vectors; calls of libm have none */',
        "#endif",
        f'#include "{name}.h"',
        *_includes(headers),
        "",
        f"#if SV_LANES != {plan.lanes}",
        f'#error "this plan was made for SV_VECTOR_BYTES {_vector_bytes(plan)}: take -DSV_VECTOR_BYTES away"',
        "#endif",
        "",
        "#ifdef SELVEDGE_CHECK",
        "#define SELVEDGE_EVENT(c, program, event) do { if ((c)->hook) (c)->hook(program, event); } while (0)",
        "#else",
        "#define SELVEDGE_EVENT(c, program, event) ((void)0)",
        "#endif",
        "",
    ]
    if zeros:
        lines += ["/* What a convolution reads outside its input. */", f"static const real zeros[{zeros}] = {{0}};", ""]
    lines += [
        f"void {name}_init({name}_context *c, void *arena, const void *weights)",
        "{",
        "c->arena = (unsigned char *)arena;",
        "c->weights = (const unsigned char *)weights;",
    ]
    if plan.memory.persistent:
        first = min(s.initial for s in plan.slots.values() if s.region == STATE)
        lines.append(f"memcpy(c->arena, c->weights + {first}, {plan.memory.persistent});")
    if plan.memory.storage:
        lines += ["c->storage = 0;", "c->torn = 0;", "}", "", *_paging(name)]
    else:
        lines.append("}")
    lines += ["", *bodies]
    if preprocess is not None:
        for p in plan.programs.values():
            lines += [*_load(p, name, preprocess, (layouts or {}).get(p.name)), ""] if "x" in p.inputs else []
    return "\n".join(_indent(lines)) + "\n"


# What native/linked.h stands in for.
LINKED = frozenset({"conv.h", "depthwise.h", "matmul.h"})


def _includes(headers: set[str]) -> list[str]:
    heavy = sorted(headers & LINKED)
    light = [f'#include "{h}"' for h in sorted((headers - LINKED) | {"selvedge.h"})]
    if not heavy:
        return light
    return [*light, "#ifdef SV_LINKED", '#include "linked.h"', "#else", *(f'#include "{h}"' for h in heavy), "#endif"]


def _vector_bytes(plan: Arrangement) -> int:
    return plan.lanes * (8 if plan.dtype == "float64" else 4) if plan.lanes > 1 else 0


def _comment(text: str) -> str:
    """``text``, in which a user's name may hold anything, as one comment on one line."""
    plain = " ".join(text.split()).replace("*/", "* /").replace("/*", "/ *")
    return f"/* {plain} */"


def _function(p: Program, kernel: Kernel) -> str:
    return f"{p.name}_{kernel.id}_{kernel.family}"


def _may_fail(kernel: Kernel) -> bool:
    return kernel.family in ("cross_entropy", "ctc", "take", "scatter_add", "scatter_onto")


def _pointer(plan: Arrangement, p: Program, instance: int, written: bool) -> tuple[str, str]:
    """(C type, expression) of the address of an instance."""
    i = p.instances[instance]
    kind = C_TYPES[i.spec.dtype]
    base = "w" if i.region == FLASH else "a"
    const = "" if written else "const "
    return f"{const}{kind} *", f"({const}{kind} *)({const}void *)({base} + {p.offsets[instance]})"


def _kernel(plan: Arrangement, p: Program, kernel: Kernel) -> list[str]:
    fails = _may_fail(kernel)
    row = FAMILIES.get(kernel.family)
    where = f" at {kernel.where}" if kernel.where else ""
    lines = [
        _comment(kernel.label + where),
        f"static {'int32_t' if fails else 'void'} {_function(p, kernel)}(unsigned char *a, const unsigned char *w)",
        "{",
    ]
    touched = [p.instances[i].region for i in kernel.touches]
    for text, used in (("a", any(r != FLASH for r in touched)), ("w", FLASH in touched)):
        if not used:
            lines.append(f"(void){text};")
    r, w = ("x", "y") if kernel.inner else ("r", "w")  # a streamed kernel gives its inner ones r and w
    for i, read in enumerate(kernel.reads):
        kind, text = _pointer(plan, p, read, False)
        lines.append(f"{kind}const {r}{i} = {text}; {_comment(p.instances[read].label)}")
    for i, write in enumerate(kernel.writes):
        kind, text = _pointer(plan, p, write, True)
        lines.append(f"{kind}const {w}{i} = {text}; {_comment(p.instances[write].label)}")
    if kernel.inner and kernel.scratch is not None:
        lines.append(f"unsigned char *const z = a + {p.offsets[kernel.scratch]};")
    elif kernel.scratch is not None:
        kind, text = _pointer(plan, p, kernel.scratch, True)
        lines.append(f"{kind}const s = {text};")
    if kernel.inner:
        return [*lines, *streamed(kernel, {i: p.instances[i].spec for i in kernel.touches}), "SV_WALL();", "}"]
    pointers = pointers_of(kernel, lambda i: p.instances[i].spec.dtype)
    if row is not None:
        lines += call(kernel, pointers, str(whole_units(kernel)))
    elif kernel.reduction is not None:
        assert kernel.expression is not None
        lines += reduce_loop(kernel.expression, kernel.reduction, pointers)
    else:
        assert kernel.expression is not None
        lines += loop(kernel.expression, pointers)
    lines.append("SV_WALL();")
    if fails:
        lines.append("return SELVEDGE_OK;")
    return [*lines, "}"]


def _program(plan: Arrangement, p: Program, name: str, number_: int, names: Mapping[int, str]) -> list[str]:
    lines = [
        f"/* {len(p.order())} kernels, {p.macs} multiply-accumulates. */",
        f"int32_t {name}_{p.name}({name}_context *c)",
        "{",
        "unsigned char *const a = c->arena;",
        "const unsigned char *const w = c->weights;",
    ]
    paged = any(k.family in PAGES for k in p.kernels.values())
    if paged or any(_may_fail(k) for k in p.kernels.values()):
        lines.append("int32_t status;")
    if plan.memory.storage:
        lines.append("if (c->torn) return SELVEDGE_TORN;")
    updated = 0
    gated = p.gate is None
    for event, e in enumerate(p.schedule):
        if not isinstance(e, Compute):
            continue
        kernel = p.kernels[e.kernel]
        if not gated and any(p.instances[i].region == STATE for i in kernel.writes):
            assert p.gate is not None
            kind = "norm" if p.outputs.get("norm") == p.gate else "loss"
            lines += [
                f"/* A {kind} that is not finite is refused before the first update. */",
                f"const real {kind} = *{_pointer_text(p, p.gate)};",
                f"if (!({kind} - {kind} == 0)) return SELVEDGE_NOT_FINITE;",
            ]
            gated = True
        lines.append(f"SELVEDGE_EVENT(c, {number_}, {event});")
        if kernel.family in PAGES:
            call = _page(p, kernel, updated)
        else:
            call = f"{names[kernel.id]}(a, w)"
        if any(p.instances[i].region == STATE for i in kernel.writes):
            updated = 1
        if _may_fail(kernel) or kernel.family in PAGES:
            lines += [f"status = {call};", "if (status != SELVEDGE_OK) return status;"]
        else:
            lines.append(f"{call};")
        lines.append(f"SELVEDGE_EVENT(c, {number_}, {-1 - event});")
    return [*lines, "return SELVEDGE_OK;", "}"]


PAGES = ("page_out", "page_in")
STORAGE = (
    "#ifndef SELVEDGE_STORAGE_TYPE /* the same for every model */",
    "#define SELVEDGE_STORAGE_TYPE",
    "/* Bytes outside the arena; the calls return 0 once all is read or written. at: the first byte, a multiple of",
    " * 4096. context: whatever the calls need. */",
    "typedef struct {",
    "    int32_t (*read)(void *context, uint32_t at, void *bytes, uint32_t size);",
    "    int32_t (*write)(void *context, uint32_t at, const void *bytes, uint32_t size);",
    "    void *context;",
    "} selvedge_storage;",
    "#endif",
    "",
)


def _paging(name: str) -> list[str]:
    """The calls that page, and what they say where storage fails: torn once an update has begun."""
    return [
        f"void {name}_attach({name}_context *c, const selvedge_storage *storage) {{ c->storage = storage; }}",
        f"void {name}_restored({name}_context *c) {{ c->torn = 0; }}",
        "",
        f"static int32_t failed({name}_context *c, int32_t updated)",
        "{",
        "if (!updated) return SELVEDGE_STORAGE;",
        "c->torn = 1;",
        "return SELVEDGE_TORN;",
        "}",
        "",
        f"static int32_t page_out({name}_context *c, uint32_t at, const void *bytes, uint32_t size, int32_t updated)",
        "{",
        "const selvedge_storage *const s = c->storage;",
        "return s && s->write(s->context, at, bytes, size) == 0 ? SELVEDGE_OK : failed(c, updated);",
        "}",
        "",
        f"static int32_t page_in({name}_context *c, uint32_t at, void *bytes, uint32_t size, int32_t updated)",
        "{",
        "const selvedge_storage *const s = c->storage;",
        "return s && s->read(s->context, at, bytes, size) == 0 ? SELVEDGE_OK : failed(c, updated);",
        "}",
    ]


def _page(p: Program, kernel: Kernel, updated: int) -> str:
    """updated: whether this program has begun its update by then."""
    at, size = kernel.params["at"], kernel.params["bytes"]
    offset = p.offsets[(*kernel.reads, *kernel.writes)[0]]
    return f"{kernel.family}(c, {at}u, a + {offset}, {size}u, {updated})"


def _pointer_text(p: Program, instance: int) -> str:
    base = "w" if p.instances[instance].region == FLASH else "a"
    return f"(const real *)(const void *)({base} + {p.offsets[instance]})"


def _load(p: Program, name: str, preprocess: Preprocess, layout: Layout | None) -> list[str]:
    i = p.inputs["x"]
    layout = layout or Layout.of(p.instances[i].spec.shape)
    alike = len(preprocess.scale) == len(preprocess.offset) == 1
    axis = layout.perm.index(1)  # the stored axis of PyTorch's channels
    # One pair for all: no table of as many as a flat input has elements.
    channels, inner = (1, 1) if alike else (layout.face[1], prod(layout.face[a] for a in layout.perm[axis + 1 :]))
    scale, offset = preprocess.per_channel(channels)
    rows = prod(layout.face) // (channels * inner)
    at = "at" if inner > 1 else f"i * {channels} + j"
    apply = f"x[{at}] = (real)bytes[{at}] * scale[j] + offset[j];"
    return [
        f"void {name}_{p.name}_load({name}_context *c, const uint8_t *bytes)",
        "{",
        f"static const real scale[] = {{{', '.join(number(float(v)) for v in scale)}}};",
        f"static const real offset[] = {{{', '.join(number(float(v)) for v in offset)}}};",
        f"real *const x = (real *)(void *)(c->arena + {p.offsets[i]});",
        f"for (int32_t i = 0; i < {rows}; i++)",
        f"for (int32_t j = 0; j < {channels}; j++)",
        *([apply] if inner == 1 else _runs(channels, inner, apply)),
        "}",
    ]


def _runs(channels: int, inner: int, apply: str) -> list[str]:
    """Where a channel is a run of ``inner`` bytes: the body of the loops over i and j."""
    return [
        f"for (int32_t k = 0; k < {inner}; k++) {{",
        f"const int32_t at = (i * {channels} + j) * {inner} + k;",
        apply,
        "}",
    ]


def _indent(lines: Sequence[str]) -> Iterator[str]:
    """Four spaces a brace."""
    depth = 0
    for line in (part for text in lines for part in text.split("\n")):
        code = line.strip()
        closing = len(code) - len(code.lstrip("}"))
        level = max(0, depth - closing)
        yield ("    " * level + code) if code and not code.startswith("#") else code
        if not code.startswith(("/*", "#")):
            depth += code.count("{") - code.count("}")
