"""Random chains of layers that work row by row, and what native code makes of them, whole and streamed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import hypothesis.strategies as st
import numpy as np

import selvedge as sv
from selvedge import ir
from selvedge.artifact.native import native_stack_probe
from selvedge.artifact.schedule import Constant
from selvedge.emitting.c import Bundle, Description, bundle
from selvedge.ir.graph import Graph, Spec, Value
from selvedge.make.measure import inputs
from selvedge.planning.arrange import Draft
from selvedge.planning.kernel import Lowered
from selvedge.planning.lower import lower
from selvedge.planning.program import machine
from selvedge.planning.schedule import Arrangement
from selvedge.planning.stream import stream
from selvedge.run.build import build
from selvedge.run.library import Library, aligned

LOOPS = ("relu", "hardswish", "sigmoid", "neg")


@dataclass(frozen=True)
class Chain:
    """A graph of layers, in words too, and a device."""

    graph: Graph
    device: sv.Device
    layers: tuple[str, ...]

    def __repr__(self) -> str:
        x = self.graph.inputs["x"]
        return f"Chain({x.spec.dtype}{x.shape}, {self.device.vector_bytes} B a vector: {'; '.join(self.layers)})"

    def lowered(self) -> Lowered:
        dtype = self.graph.inputs["x"].spec.dtype
        return lower(self.graph, machine(self.device, dtype), ())


def fixed_chain() -> Chain:
    """A branch that waits for the end; expansion, a loop in its place, depthwise, projection, sum; two images."""
    x = ir.input_leaf("x", Spec((2, 12, 9, 4), "float32"))
    shapes = ((1, 1, 4, 4), (1, 1, 4, 16), (3, 3, 1, 8), (1, 1, 16, 4))
    w = [ir.state_leaf(f"w{i}", Spec(s, "float32"), "parameter") for i, s in enumerate(shapes)]
    one = {"stride": (1, 1), "dilation": (1, 1), "padding": ((0, 0), (0, 0)), "groups": 1}
    branch = ir.apply("conv2d", x, w[0], **one)
    wide = ir.apply("relu", ir.apply("conv2d", x, w[1], **one))
    loop = ir.apply("neg", ir.reshape(wide, (2, 12, 18, 8)))  # of another shape: it cannot ride on the convolution
    deep = ir.apply("conv2d", loop, w[2], **{**one, "padding": ((1, 1), (1, 1)), "groups": 8})
    out = ir.apply("add", ir.apply("conv2d", ir.reshape(deep, (2, 12, 9, 16)), w[3], **one), branch)
    device = sv.Device(name="any", ram="1MiB", flash="1MiB", vector_bytes=0)
    return Chain(Graph({"x": x}, {f"w{i}": v for i, v in enumerate(w)}, {"out": out}), device, ())


@st.composite
def chains(draw: Callable[[Any], Any], most: int = 6) -> Chain:
    """2 to ``most`` layers: convolutions of all kinds, depthwise ones, loops, a number per channel, sums with what came
    earlier; one to three images; sometimes a result in the middle."""
    dtype = draw(st.sampled_from(["float32", "float32", "float64"]))
    shape = (draw(st.integers(1, 3)), *(draw(st.integers(5, 14)) for _ in range(2)), draw(st.integers(1, 9)))
    maps = [ir.input_leaf("x", Spec(shape, dtype))]
    state: dict[str, Value] = {}
    words: list[str] = []

    def parameter(*extents: int) -> Value:
        name = f"p{len(state)}"
        state[name] = ir.state_leaf(name, Spec(extents, dtype), "parameter")
        return state[name]

    for _ in range(draw(st.integers(2, most))):
        x = maps[-1]
        kind = draw(st.sampled_from(["conv", "conv", "depthwise", "loop", "bias", "add"]))
        if kind in ("conv", "depthwise"):
            made, word = draw(_convolutions(x, kind == "depthwise", parameter))
        elif kind == "loop":
            word = draw(st.sampled_from(LOOPS))
            made = ir.apply(word, x)
        elif kind == "bias":
            made, word = ir.apply("add", x, parameter(x.shape[-1])), "bias"
        else:
            others = [i for i, m in enumerate(maps) if m.shape == x.shape]
            other = draw(st.sampled_from(others))
            made, word = ir.apply("add", maps[other], x), f"add map {other}"
        maps.append(made)
        words.append(word)
    outputs = {"out": maps[-1]}
    if draw(st.integers(0, 2)) == 0:
        middle = draw(st.integers(1, len(maps) - 1))
        outputs["middle"] = maps[middle]
        words.append(f"also map {middle}")
    device = sv.Device(name="any", ram="1GiB", flash="1GiB", vector_bytes=draw(st.sampled_from([0, 16, 64])))
    return Chain(Graph({"x": maps[0]}, state, outputs), device, tuple(words))


@st.composite
def _convolutions(
    draw: Callable[[Any], Any], x: Value, depthwise: bool, parameter: Callable[..., Value]
) -> tuple[Value, str]:
    channels = x.shape[-1]
    kernel, stride, dilation, padding = [], [], [], []
    for extent in x.shape[1:3]:
        kernel.append(draw(st.sampled_from([1, 3, 5, 2])))
        stride.append(draw(st.integers(1, 2)))
        dilation.append(draw(st.sampled_from([1, 1, 2])))
        reach = (kernel[-1] - 1) * dilation[-1] + 1
        least = max(0, reach - extent)
        padding.append((draw(st.integers(0, reach - 1)) + least, draw(st.integers(0, reach - 1))))
    if depthwise:
        groups, outs = channels, channels
    else:
        groups = draw(st.sampled_from([g for g in (1, 1, 1, 2, 3) if channels % g == 0]))
        outs = groups * draw(st.sampled_from([1, 2, 5, 8, 17]))
    made = ir.apply(
        "conv2d", x, parameter(*kernel, channels // groups, outs), stride=tuple(stride), padding=tuple(padding),
        dilation=tuple(dilation), groups=groups,
    )  # fmt: skip
    return made, f"conv {kernel} x {outs}, stride {stride}, dilation {dilation}, padding {padding}, {groups} groups"


def arranged(chain: Chain, programs: Mapping[str, Lowered]) -> tuple[Arrangement, Bundle]:
    """The chain as several programs over one state, and its C."""
    plan = Draft(dict.fromkeys(programs, chain.graph), chain.device, programs).arranged()
    rng = np.random.default_rng(0)
    stored = {n: rng.standard_normal(s.shape).astype(s.dtype) for n, s in plan.slots.items()}
    about = Description("model", {}, dict.fromkeys(plan.slots), (), Constant(0.1), None, {})
    return plan, bundle(plan, stored, about)


def outputs(plan: Arrangement, made: Bundle) -> dict[str, dict[str, bytes]]:
    """What every program makes of the same random input, in the library that ``measure`` builds too."""
    sources = {**made.sources, "stack_probe.c": native_stack_probe()}
    library = build(sources, plan.lanes, plan.dtype, extra=("-DSELVEDGE_CHECK", "-pthread"))
    weights = aligned(max(1, len(made.weights)))
    weights[: len(made.weights)] = np.frombuffer(made.weights, np.uint8)
    arena = aligned(max(1, plan.memory.arena))
    code = Library(library, "model", plan.programs, arena, weights, checked=True)
    code.init()
    found = {}
    for name, p in plan.programs.items():
        arena[plan.memory.persistent :] = 0xA5
        for port, value in inputs(p, 0, seed=1).items():
            at = p.offsets[p.inputs[port]]
            arena[at : at + value.nbytes] = np.ascontiguousarray(value).reshape(-1).view(np.uint8)
        assert code.call(name) == 0
        found[name] = {n: arena[p.offsets[i] : p.offsets[i] + p.sizes[i]].tobytes() for n, i in p.outputs.items()}
    return found


def any_run(lowered: Lowered, start: int, length: int, rows: int) -> Lowered | None:
    """``lowered`` with up to ``length`` kernels from ``start`` on streamed; None where they cannot be."""
    run = [k.id for k in lowered.kernels[start : start + length]]
    try:
        return stream(lowered, run, rows) if len(run) > 1 else None
    except ValueError:
        return None
