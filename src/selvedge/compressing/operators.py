"""ATen's operators, sorted by what LiteRT's int8 specification asks of their tensors.

Source: https://ai.google.dev/edge/litert/models/quantization_spec, "Operator specifications".
"""

from __future__ import annotations

import torch

aten = torch.ops.aten

# A weight per output channel, symmetric in [-127, 127], zero point 0; the bias int32 at scale input x weight.
WEIGHTED = (aten.conv1d.default, aten.conv1d.padding, aten.conv2d.default, aten.conv2d.padding, aten.linear.default)
NORMS = (aten.batch_norm.default,)
# What LiteRT writes into the kernel before it: the range is that of what comes out.
ACTIVATIONS = (aten.relu.default, aten.relu_.default, aten.relu6.default, aten.relu6_.default)
CLIPS = (aten.hardtanh.default, aten.hardtanh_.default, aten.clamp.default, aten.clamp_.default)
CLIPPED = ((0.0, 6.0), (-1.0, 1.0), (0.0, None))  # RELU6, RELU_N1_TO_1, RELU

# Inputs and output each with a range of their own.
OWN = (
    *ACTIVATIONS,
    *CLIPS,
    aten.add.Tensor,
    aten.add_.Tensor,
    aten.sub.Tensor,
    aten.mul.Tensor,
    aten.mul_.Tensor,
    aten.matmul.default,
    aten.bmm.default,
    aten.mean.dim,
    aten.leaky_relu.default,
    aten.leaky_relu_.default,
    aten.elu.default,
    aten.gelu.default,
    aten.silu.default,
    aten.silu_.default,
    aten.hardswish.default,
    aten.hardswish_.default,
    aten.hardsigmoid.default,
)
FUSES = (*WEIGHTED, aten.add.Tensor, aten.add_.Tensor, aten.sub.Tensor, aten.mul.Tensor, aten.mul_.Tensor)

# (scale, zero point) of the output, whatever it holds.
FIXED = {
    aten.softmax.int: (1 / 256, -128),
    aten._softmax.default: (1 / 256, -128),
    aten.sigmoid.default: (1 / 256, -128),
    aten.log_softmax.int: (16 / 256, 127),
    aten.tanh.default: (1 / 128, 0),
}

# Input and output at one scale and zero point.
SAME = (
    aten.cat.default,
    aten.max_pool1d.default,
    aten.max_pool2d.default,
    aten.avg_pool1d.default,
    aten.avg_pool2d.default,
    aten.adaptive_avg_pool1d.default,
    aten.adaptive_avg_pool2d.default,
    aten.view.default,
    aten.reshape.default,
    aten.flatten.using_ints,
    aten.unflatten.int,
    aten.permute.default,
    aten.transpose.int,
    aten.t.default,
    aten.squeeze.default,
    aten.squeeze.dim,
    aten.squeeze.dims,
    aten.unsqueeze.default,
    aten.slice.Tensor,
    aten.select.int,
    aten.chunk.default,
    aten.split.Tensor,
    aten.split_with_sizes.default,
    aten.pad.default,
    aten.constant_pad_nd.default,
    aten.expand.default,
    aten.contiguous.default,
    aten.clone.default,
    aten.alias.default,
    aten.upsample_nearest2d.vec,
    aten.channel_shuffle.default,
)
# Nothing is computed.
DROPOUTS = (aten.dropout.default, aten.dropout_.default, aten.feature_dropout.default)


def clips(node: torch.fx.Node) -> bool:
    """Whether ``node`` is an activation that LiteRT has as a fused one."""
    return bounds(node) in CLIPPED


def bounds(node: torch.fx.Node) -> tuple[float | None, ...] | None:
    """(lowest, highest) that an activation lets through, None for no end; None for another operator, or a bound that is
    computed. ``nn.ReLU6`` is a hardtanh to torch."""
    if node.target in ACTIVATIONS:
        return (0.0, 6.0) if str(node.target).startswith("aten.relu6") else (0.0, None)
    if node.target not in CLIPS or any(isinstance(v, torch.fx.Node) for v in (*node.args[1:], *node.kwargs.values())):
        return None
    given = [None if v is None else float(str(v)) for v in node.args[1:3]]
    first = (-1.0, 1.0) if str(node.target).startswith("aten.hardtanh") else (None, None)
    return (*given, *first[len(given) :])


def padded(node: torch.fx.Node) -> float | None:
    """The constant that ``node`` pads with; None where it copies what is there, or is no pad."""
    if node.target is aten.constant_pad_nd.default:
        given = node.args[2] if len(node.args) > 2 else node.kwargs.get("value", 0.0)
    elif node.target is aten.pad.default:
        mode = node.args[2] if len(node.args) > 2 else node.kwargs.get("mode", "constant")
        if mode != "constant":
            return None
        given = node.args[3] if len(node.args) > 3 else node.kwargs.get("value")
    else:
        return None
    return 0.0 if given is None else float(str(given))
