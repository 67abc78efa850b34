"""Small training graphs, a layer each, whose kernels are timed: convolution, depthwise, linear, pooling, norms,
elementwise chains, losses, data movement, and the updates of four optimisers; forward and backward. And int8 layers,
forward (``calibrate_int8``), and layers with sparse weights (``calibrate_sparse``).

Every float graph is a training step as capture makes it: the layer, a frozen norm and an activation where models have
them, a loss, the gradient of the input as well as of the weight, and the update. Layers of equal weights share them, so
that the set stays small in RAM. Sizes are data: the same list for the same amount of RAM, every time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .. import ir
from ..capture.autodiff import gradients
from ..capture.optimizer import SGD, Adam, Optimizer, RMSProp
from .calibrate_int8 import int8_conv, int8_depthwise, int8_elements, int8_grouped, int8_linear, int8_pools
from .calibrate_sparse import sparse_conv, sparse_linear

OPTIMIZERS: tuple[Optimizer, ...] = (SGD(0.01), SGD(0.01, momentum=0.9), Adam(0.01), SGD(0.01), RMSProp(0.01))


@dataclass(frozen=True, slots=True)
class Layer:
    """One graph to time. ``held_out``: it checks the fit and has no part in it."""

    name: str
    graph: ir.Graph
    held_out: bool


@dataclass
class _Step:
    """A training step in the making."""

    optimizer: Optimizer
    inputs: dict[str, ir.Value] = field(default_factory=dict)
    state: dict[str, ir.Value] = field(default_factory=dict)

    def input(self, name: str, *shape: int, dtype: str = "float32") -> ir.Value:
        self.inputs[name] = ir.input_leaf(name, ir.Spec(shape, dtype))
        return self.inputs[name]

    def parameter(self, kind: str, *shape: int) -> ir.Value:
        """State that every layer with a parameter of this kind and shape shares."""
        name = "_".join((kind, *map(str, shape)))
        self.state[name] = ir.state_leaf(name, ir.Spec(shape), "parameter")
        return self.state[name]

    def _slot(self, name: str, spec: ir.Spec) -> ir.Value:
        self.state[name] = ir.state_leaf(name, spec, "optimizer")
        return self.state[name]

    def frozen(self, kind: str, *shape: int) -> ir.Value:
        """State that nothing updates: read from flash where there is one."""
        name = "_".join((kind, *map(str, shape)))
        self.state[name] = ir.state_leaf(name, ir.Spec(shape), "buffer")
        return self.state[name]

    def normed(self, y: ir.Value, activation: str = "") -> ir.Value:
        """A batch norm with frozen statistics as capture writes it, and an activation."""
        c = y.shape[-1]
        scale = ir.apply("mul", self.parameter("gamma", c), self.frozen("rstd", c))
        y = ir.apply("mul", ir.apply("sub", y, self.frozen("mean", c)), scale)
        y = ir.apply("add", y, self.parameter("beta", c))
        return ir.apply(activation, y) if activation else y

    def finish(self, output: ir.Value, loss: ir.Value | None = None) -> ir.Graph:
        """The output, the gradient of "x" and every parameter updated; by default from a gradient "dy" of the output,
        as in the middle of a net, else from ``loss``."""
        outputs = {"output": output}
        if loss is None:
            flowing = ir.apply("mul", output, self.input("dy", *output.shape))
            total = ir.reduce("reduce_sum", flowing, range(len(output.shape)))
        else:
            total = outputs["loss"] = loss
        x = self.inputs["x"]
        weights = {n: v for n, v in self.state.items() if v.node.attrs["kind"] == "parameter"}
        found = gradients(total, [x, *weights.values()])
        outputs["dx"] = found[x]
        lr = self.input("lr")
        kind = type(self.optimizer).__name__.lower()
        old = {s: self._slot(f"{kind}.{s}", ir.Spec(())) for s in self.optimizer.shared}
        new = self.optimizer.advance(old)
        shared = {**new, **{f"{s}.old": value for s, value in old.items()}}
        for name, weight in weights.items():
            slots = {s: self._slot(f"{name}.{s}", weight.spec) for s in self.optimizer.slots}
            outputs[name], changed = self.optimizer.update(weight, found[weight], lr, slots, shared)
            outputs.update({f"{name}.{s}": value for s, value in changed.items()})
        outputs.update({f"{kind}.{s}": value for s, value in new.items()})
        return ir.simplified(ir.Graph(self.inputs, self.state, outputs))


def conv(s: _Step, side: int, c: int, k: int, size: int, stride: int = 1, groups: int = 1) -> ir.Value:
    x, w = s.input("x", 1, side, side, c), s.parameter("w", size, size, c // groups, k)
    geometry: dict[str, Any] = {
        "stride": (stride, stride),
        "padding": ((size // 2,) * 2,) * 2,
        "dilation": (1, 1),
        "groups": groups,
    }
    return s.normed(ir.apply("conv2d", x, w, **geometry), "relu")


def depthwise(s: _Step, side: int, c: int, size: int, stride: int = 1) -> ir.Value:
    return conv(s, side, c, c, size, stride, groups=c)


def residual(s: _Step, side: int, c: int, size: int) -> ir.Value:
    """x + conv(x): the gradient of the convolution adds onto the other."""
    return ir.apply("relu", ir.apply("add", conv(s, side, c, c, size), s.inputs["x"]))


def linear(s: _Step, rows: int, c: int, k: int) -> ir.Value:
    y = ir.apply("matmul", s.input("x", rows, c), s.parameter("m", c, k), trans_a=False, trans_b=False)
    return ir.apply("add", y, s.parameter("bias", k))


def product(s: _Step, batch: int, rows: int, c: int, k: int) -> ir.Value:
    """As attention has them: a batch of products of two activations."""
    x = s.input("x", batch, rows, c)
    return ir.apply("matmul", x, s.parameter("keys", batch, k, c), trans_a=False, trans_b=True)


def classes(s: _Step, rows: int, c: int, k: int) -> tuple[ir.Value, ir.Value]:
    y = linear(s, rows, c, k)
    return y, ir.apply("cross_entropy", y, s.input("y", rows, dtype="int32"), label_smoothing=0.0)


def spoken(s: _Step, steps: int, c: int, longest: int) -> tuple[ir.Value, ir.Value]:
    """Sequences of classes against their labels, none of which is the blank."""
    y = s.input("x", 1, steps, c)
    return y, ir.apply("ctc", y, s.input("y", 1, longest, dtype="int32"), blank=c - 1, zero_infinity=True)


def squares(s: _Step, side: int, c: int) -> tuple[ir.Value, ir.Value]:
    """The mean squared difference of an image."""
    y = s.normed(s.input("x", 1, side, side, c))
    error = ir.apply("square", ir.apply("sub", y, s.input("y", *y.shape)))
    return y, ir.scale(ir.reduce("reduce_sum", error, range(4)), 1 / y.spec.size)


def _windows(side: int, size: int) -> tuple[tuple[int, int, int], ...]:
    return tuple((i * size, (i + 1) * size, 1) for i in range(side // size))


def max_pool(s: _Step, side: int, c: int, size: int) -> ir.Value:
    w = _windows(side, size)
    return ir.apply("max_pool", s.input("x", 1, side, side, c), windows_h=w, windows_w=w)


def avg_pool(s: _Step, side: int, c: int, size: int) -> ir.Value:
    w, n = _windows(side, size), (size,) * (side // size)
    x = s.input("x", 1, side, side, c)
    return ir.apply("avg_pool", x, windows_h=w, windows_w=w, counts_h=n, counts_w=n)


def mean_pool(s: _Step, side: int, c: int) -> ir.Value:
    total = ir.reduce("reduce_sum", s.input("x", 1, side, side, c), (1, 2))
    return ir.scale(total, 1 / side**2)


def layer_norm(s: _Step, rows: int, c: int) -> ir.Value:
    y = ir.apply("normalize", s.input("x", rows, 1, 1, c), eps=1e-5)
    return s.normed(ir.reshape(y, (rows, c)))


def softmax(s: _Step, rows: int, c: int, kind: str = "softmax") -> ir.Value:
    return ir.apply(kind, s.input("x", rows, c))


def chain(s: _Step, side: int, c: int, activation: str) -> ir.Value:
    """A norm and an activation that no kernel before them takes along."""
    return s.normed(s.input("x", 1, side, side, c), activation)


def moves(s: _Step, side: int, c: int) -> ir.Value:
    """Padded, cropped, joined and transposed."""
    x = s.input("x", 1, side, side, c)
    y = ir.apply("pad", x, before=(0, 1, 1, 0), after=(0, 1, 1, 0), value=0.0)
    z = ir.apply("slice", y, starts=(0, 0, 2, 0), stops=(1, side, side + 2, c), steps=(1, 1, 1, 1))
    joined = ir.apply("concat", ir.apply("square", x), z, axis=3)
    return ir.transpose(joined, (0, 3, 1, 2))


def saved(s: _Step, side: int, c: int) -> ir.Value:
    """What a plan does to activations that it saves small: packed to bits, and to 8 bits a number."""
    x, kept = s.input("x", 1, side, side, c), s.input("kept", 1, side, side, c)
    passed = ir.apply("masked_grad", x, ir.apply("pack_mask", kept, of="relu"))
    scales = ir.Value(ir.apply("quantize_channels", kept).node, 1)
    return ir.apply("mul", passed, scales)


def table(s: _Step, rows: int, c: int, picks: int) -> ir.Value:
    """Rows by number, and added back to others; all of the table learns, so that its gradient is made."""
    index = s.input("index", 1, picks, dtype="int32")
    taken = ir.apply("take", ir.reshape(s.parameter("table", rows, c), (1, rows, c)), index)
    y = ir.apply("mul", taken, s.input("x", 1, picks, c))
    return ir.apply("scatter_onto", s.input("onto", 1, rows, c), y, index, skip=-1)


def along(s: _Step, rows: int, c: int) -> ir.Value:
    """Twice as long by interpolation, and summed up."""
    starts, index = tuple(range(0, 4 * rows + 1, 2)), tuple(min(rows - 1, i // 2 + i % 2) for i in range(4 * rows))
    y = ir.apply("resample", s.input("x", 1, rows, c), starts=starts, index=index, weights=(0.75, 0.25) * (2 * rows))
    return ir.apply("cumsum", y, reverse=False)


def dropout(s: _Step, side: int, c: int) -> ir.Value:
    """Some of the numbers, and then some of the channels."""
    x, drawn = s.input("x", 1, side * side, c), s.input("drawn")
    y = ir.apply("dropout", x, drawn, p=0.25, salt=1, whole=False)
    return ir.apply("dropout", y, drawn, p=0.25, salt=2, whole=True)


def cell(s: _Step, steps: int, hidden: int, kind: str) -> ir.Value:
    """The recurrence of a cell, without the projection of its input."""
    gates = {"rnn": 1, "gru": 3, "lstm": 4}[kind]
    x, w = s.input("x", steps, 1, gates * hidden), s.parameter("w", hidden, gates * hidden)
    flags: dict[str, Any] = {"reverse": False, "batch_first": False}
    h = s.input("h", 1, hidden)
    if kind == "gru":
        return ir.apply("gru", x, w, s.parameter("bias", gates * hidden), h, **flags)
    if kind == "lstm":
        return ir.apply("lstm", x, w, h, s.input("c", 1, hidden), **flags)
    return ir.apply("rnn", x, w, h, act="tanh", **flags)


Made = ir.Value | tuple[ir.Value, ir.Value]
Maker = Callable[..., Made] | Callable[..., ir.Graph]
Row = tuple[Maker, tuple[int | str, ...]]

# (layer, its sizes), from small to large: a device takes what its RAM holds. Every fourth is held out.
ROWS: tuple[Row, ...] = (
    (conv, (6, 8, 8, 3)), (conv, (8, 3, 8, 3)), (conv, (8, 16, 16, 1)), (conv, (5, 12, 20, 3)),
    (conv, (10, 4, 12, 3, 2)), (conv, (8, 8, 24, 1)), (conv, (4, 32, 16, 1)), (conv, (12, 8, 8, 1, 2)),
    (depthwise, (8, 16, 3)), (depthwise, (10, 12, 3, 2)), (depthwise, (6, 32, 3)), (depthwise, (9, 8, 5)),
    (residual, (6, 8, 3)), (residual, (8, 16, 1)), (residual, (6, 12, 3)), (residual, (4, 16, 3)),
    (linear, (1, 32, 16)), (linear, (4, 16, 24)), (linear, (1, 64, 10)), (linear, (2, 48, 8)),
    (product, (2, 6, 8, 6)), (product, (1, 12, 16, 12)), (product, (3, 8, 8, 10)), (product, (2, 10, 12, 8)),
    (classes, (1, 16, 10)), (classes, (4, 8, 4)), (classes, (2, 32, 12)), (classes, (8, 12, 10)),
    (squares, (6, 8)), (squares, (8, 12)), (squares, (4, 24)), (squares, (7, 16)),
    (max_pool, (8, 8, 2)), (max_pool, (6, 16, 3)), (max_pool, (12, 4, 2)), (max_pool, (8, 16, 2)),
    (avg_pool, (8, 8, 2)), (avg_pool, (6, 16, 6)), (avg_pool, (12, 4, 4)), (avg_pool, (8, 16, 2)),
    (mean_pool, (8, 8)), (mean_pool, (6, 16)), (mean_pool, (10, 12)), (mean_pool, (4, 32)),
    (layer_norm, (4, 32)), (layer_norm, (8, 16)), (layer_norm, (2, 64)), (layer_norm, (6, 24)),
    (softmax, (4, 10)), (softmax, (8, 32)), (softmax, (16, 12)), (softmax, (2, 48)),
    (softmax, (4, 12, "log_softmax")), (softmax, (8, 24, "log_softmax")), (softmax, (2, 64, "log_softmax")),
    (softmax, (3, 40, "log_softmax")),
    (chain, (8, 8, "relu")), (chain, (6, 24, "relu")), (chain, (8, 8, "sigmoid")), (chain, (10, 12, "relu")),
    (chain, (8, 8, "silu")), (chain, (4, 32, "hardswish")), (chain, (6, 16, "tanh")), (chain, (8, 12, "silu")),
    (moves, (6, 8)), (moves, (8, 4)), (moves, (4, 16)), (moves, (7, 12)),
    (saved, (6, 8)), (saved, (8, 12)), (saved, (4, 24)), (saved, (7, 16)),
    (spoken, (12, 8, 3)), (spoken, (20, 12, 5)), (spoken, (8, 16, 2)), (spoken, (16, 10, 6)),
    (table, (24, 8, 12)), (table, (16, 16, 8)), (table, (12, 24, 12)), (table, (32, 8, 10)),
    (dropout, (8, 8)), (dropout, (6, 16)), (dropout, (4, 12)), (dropout, (10, 8)),
    (along, (12, 8)), (along, (8, 24)), (along, (16, 12)), (along, (6, 32)),
    *((cell, (*sizes, kind)) for kind in ("rnn", "gru", "lstm") for sizes in ((6, 8), (4, 12), (8, 10), (5, 9))),
    (int8_conv, (6, 8, 16, 3)), (int8_conv, (8, 16, 16, 1)), (int8_conv, (8, 3, 8, 3)), (int8_conv, (5, 12, 20, 3)),
    (int8_depthwise, (8, 16, 3)), (int8_depthwise, (10, 12, 3, 2)), (int8_depthwise, (6, 32, 3)),
    (int8_depthwise, (9, 8, 5)),
    (int8_linear, (1, 32, 16)), (int8_linear, (4, 16, 24)), (int8_linear, (1, 64, 10)), (int8_linear, (2, 48, 8)),
    (int8_grouped, (6, 8, 8, 3)), (int8_linear, (2, 24, 16, 1)), (int8_linear, (4, 16, 8, 1)),
    (int8_grouped, (8, 12, 8, 1)),
    (int8_linear, (1, 48, 12, 1)), (int8_grouped, (5, 16, 12, 3)), (int8_grouped, (4, 8, 16, 3)),
    (int8_linear, (3, 32, 10, 1)),
    (int8_elements, (6, 8)), (int8_elements, (4, 24)), (int8_elements, (8, 4)), (int8_elements, (5, 16)),
    (int8_pools, (8, 8, 2)), (int8_pools, (6, 12, 3)), (int8_pools, (4, 32, 2)), (int8_pools, (8, 10, 4)),
    (sparse_linear, (1, 32, 16, 75)), (sparse_linear, (1, 6, 24, 50)), (sparse_conv, (6, 16, 16, 1, 75)),
    (sparse_linear, (1, 48, 24, 90)),
    (sparse_conv, (5, 8, 16, 3, 75)), (sparse_linear, (1, 64, 10, 80)), (sparse_linear, (1, 7, 32, 75)),
    (sparse_linear, (1, 5, 40, 60)),
    (sparse_linear, (1, 4, 48, 50)), (sparse_conv, (8, 12, 20, 1, 90)), (sparse_linear, (1, 96, 12, 75)),
    (sparse_conv, (6, 24, 12, 1, 50)),
    (conv, (16, 16, 16, 3)), (conv, (16, 3, 16, 3, 2)), (conv, (12, 24, 40, 1)), (conv, (10, 32, 24, 3)),
    (conv, (16, 32, 64, 1)), (conv, (8, 64, 64, 3)), (conv, (32, 16, 16, 3)), (conv, (16, 32, 48, 3, 2)),
    (conv, (32, 3, 16, 3)), (conv, (8, 64, 128, 1)), (conv, (4, 128, 128, 1)), (conv, (24, 16, 32, 3)),
    (conv, (48, 3, 8, 3, 2)), (conv, (16, 32, 64, 1, 2)), (conv, (32, 64, 64, 1)), (conv, (24, 24, 96, 1)),
    (conv, (3, 256, 256, 1)), (conv, (48, 8, 16, 1)), (conv, (24, 8, 16, 1)), (conv, (6, 96, 576, 1)),
    (conv, (24, 144, 24, 1)), (conv, (49, 1, 64, 5, 2)), (conv, (8, 128, 256, 1)), (conv, (12, 192, 32, 1)),
    (depthwise, (16, 32, 3)), (depthwise, (24, 16, 3)), (depthwise, (12, 64, 3, 2)), (depthwise, (20, 24, 5)),
    (depthwise, (48, 8, 3)), (depthwise, (25, 64, 3)), (depthwise, (6, 128, 3)), (depthwise, (24, 48, 3, 2)),
    (depthwise, (48, 48, 3, 2)), (depthwise, (12, 192, 3)), (depthwise, (3, 256, 3)), (depthwise, (24, 144, 3)),
    (residual, (16, 16, 3)), (residual, (12, 32, 1)), (residual, (8, 64, 3)), (residual, (24, 16, 3)),
    (linear, (1, 256, 64)), (linear, (8, 64, 64)), (linear, (1, 128, 128)), (linear, (16, 40, 80)),
    (linear, (1, 640, 128)), (linear, (1, 128, 640)), (linear, (1, 1280, 100)), (linear, (4, 256, 256)),
    (product, (4, 32, 32, 32)), (product, (8, 16, 64, 16)), (product, (2, 64, 24, 64)), (product, (4, 48, 32, 48)),
    (classes, (1, 256, 10)), (classes, (16, 64, 12)), (classes, (1, 128, 100)), (classes, (8, 64, 20)),
    (squares, (16, 16)), (squares, (32, 8)), (squares, (12, 96)), (squares, (24, 24)),
    (max_pool, (32, 16, 2)), (max_pool, (16, 64, 2)), (max_pool, (24, 32, 3)), (max_pool, (48, 8, 2)),
    (avg_pool, (32, 16, 2)), (avg_pool, (16, 64, 16)), (avg_pool, (24, 32, 3)), (avg_pool, (48, 8, 2)),
    (avg_pool, (4, 128, 4)), (avg_pool, (12, 96, 12)), (max_pool, (8, 96, 2)), (avg_pool, (10, 48, 10)),
    (mean_pool, (8, 64)), (mean_pool, (24, 64)), (mean_pool, (3, 256)), (mean_pool, (16, 32)),
    (layer_norm, (64, 64)), (layer_norm, (16, 256)), (layer_norm, (196, 32)), (layer_norm, (32, 96)),
    (softmax, (64, 64)), (softmax, (1, 1000)), (softmax, (196, 16)), (softmax, (16, 100)),
    (softmax, (64, 64, "log_softmax")), (softmax, (1, 1000, "log_softmax")), (softmax, (100, 16, "log_softmax")),
    (softmax, (16, 100, "log_softmax")),
    (chain, (16, 32, "relu")), (chain, (32, 16, "relu")), (chain, (24, 144, "relu")), (chain, (16, 24, "sigmoid")),
    (chain, (16, 64, "silu")), (chain, (24, 24, "hardswish")), (chain, (12, 96, "tanh")), (chain, (48, 16, "relu")),
    (moves, (16, 16)), (moves, (32, 8)), (moves, (8, 64)), (moves, (24, 24)),
    (saved, (16, 16)), (saved, (32, 8)), (saved, (8, 64)), (saved, (24, 24)),
    (table, (128, 32, 64)), (table, (64, 64, 32)), (table, (256, 16, 64)), (table, (96, 32, 48)),
    (spoken, (40, 32, 12)), (spoken, (64, 24, 16)), (spoken, (50, 29, 20)), (spoken, (32, 48, 8)),
    (dropout, (16, 16)), (dropout, (12, 32)), (dropout, (16, 24)), (dropout, (8, 64)),
    (along, (64, 32)), (along, (128, 16)), (along, (32, 64)), (along, (48, 48)),
    *((cell, (*sizes, kind)) for kind in ("rnn", "gru", "lstm") for sizes in ((20, 32), (12, 64), (30, 24), (16, 48))),
    (int8_conv, (16, 16, 16, 3)), (int8_conv, (32, 3, 16, 3, 2)), (int8_conv, (12, 24, 40, 1)),
    (int8_conv, (10, 32, 24, 3)),
    (int8_conv, (8, 64, 128, 1)), (int8_conv, (49, 1, 64, 5, 2)), (int8_conv, (24, 144, 24, 1)),
    (int8_conv, (16, 32, 64, 1)),
    (int8_depthwise, (24, 32, 3)), (int8_depthwise, (48, 16, 3, 2)), (int8_depthwise, (12, 64, 5)),
    (int8_depthwise, (25, 64, 3)),
    (int8_linear, (1, 640, 128)), (int8_linear, (16, 64, 64)), (int8_linear, (1, 128, 640)),
    (int8_linear, (8, 128, 128)),
    (int8_elements, (16, 32)), (int8_elements, (24, 16)), (int8_elements, (32, 16)), (int8_elements, (12, 64)),
    (int8_pools, (16, 32, 2)), (int8_pools, (24, 16, 3)), (int8_pools, (8, 96, 4)), (int8_pools, (12, 48, 2)),
    (sparse_linear, (1, 256, 128, 75)), (sparse_linear, (1, 640, 128, 90)), (sparse_linear, (1, 128, 128, 50)),
    (sparse_linear, (1, 128, 640, 90)),
    (sparse_conv, (10, 64, 64, 1, 75)), (sparse_conv, (12, 128, 128, 1, 90)), (sparse_conv, (16, 32, 48, 1, 50)),
    (sparse_conv, (24, 32, 64, 1, 90)),
    (sparse_conv, (16, 16, 16, 3, 75)), (sparse_linear, (1, 7, 512, 75)), (sparse_conv, (3, 256, 256, 1, 95)),
    (sparse_linear, (1, 6, 384, 50)),
)  # fmt: skip
SMALL = next(i for i, (make, sizes) in enumerate(ROWS) if (make, sizes) == (conv, (16, 16, 16, 3)))
HELD_OUT = 4  # every fourth
PREDICT = (int8_conv, int8_depthwise, int8_elements, int8_grouped, int8_linear, int8_pools, sparse_conv, sparse_linear)
# Of the small rows, one of each kind first, then the held-out ones: a device with little RAM still has every family.
ORDER = (*sorted(range(SMALL), key=lambda i: ((0, 2, 3, 1)[i % HELD_OUT], i)), *range(SMALL, len(ROWS)))


def layers(ram: int, most: int = len(ROWS)) -> tuple[Layer, ...]:
    """At most ``most`` layers whose own buffers a device with ``ram`` bytes for them can hold, one after the other; a
    quarter of them held out.

    The weights of all of them are persistent, so they may take two thirds; what a layer needs in passing, a third.
    """
    made: list[Layer] = []
    persistent: dict[str, int] = {}
    checks = most // HELD_OUT
    for at in ORDER:
        make, sizes = ROWS[at]
        graph = _graph(make, sizes, OPTIMIZERS[at % len(OPTIMIZERS)])
        own = {name: graph.state[name].spec.bytes for name in graph.updates}
        outputs = [v.spec.bytes for n, v in graph.outputs.items() if n.startswith("output")]
        passing = 5 * max(*(v.spec.bytes for v in graph.inputs.values()), *outputs)
        held_out = at % HELD_OUT == HELD_OUT - 1
        full = sum(layer.held_out is held_out for layer in made) == (checks if held_out else most - checks)
        if full or sum({**persistent, **own}.values()) > 2 * ram // 3 or passing > ram // 3:
            continue
        persistent.update(own)
        made.append(Layer(f"{make.__name__}_{'_'.join(map(str, sizes))}", graph, held_out))
    return tuple(made)


def _graph(
    make: Callable[..., Made] | Callable[..., ir.Graph], sizes: tuple[int | str, ...], by: Optimizer
) -> ir.Graph:
    if make in PREDICT:
        graph = make(*sizes)
        assert isinstance(graph, ir.Graph)
        return graph
    step = _Step(by)
    made = make(step, *sizes)
    assert not isinstance(made, ir.Graph)
    return step.finish(*made) if isinstance(made, tuple) else step.finish(made)


def graphs(chosen: Sequence[Layer]) -> dict[str, ir.Graph]:
    """As programs of one plan: they share their state by name, which every graph here means by shape."""
    return {f"l{i}": layer.graph for i, layer in enumerate(chosen)}
