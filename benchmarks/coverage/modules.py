"""``torch.nn``: a draw of each module."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from .draw import Draw, Entry, Made

ENTRIES: list[Entry] = []


def _enter(kind: Any, make: Any, *rest: int) -> None:
    ENTRIES.append(Entry(f"nn.{kind.__name__}", make, rest))


def _pointwise(kind: Any, arguments: Any = lambda d: {}) -> None:
    _enter(kind, lambda d: (kind(**arguments(d)), (d.some(),)))


# Activations

for _kind in (
    nn.Hardsigmoid, nn.Hardswish, nn.LogSigmoid, nn.ReLU, nn.ReLU6, nn.RReLU, nn.SELU, nn.Sigmoid, nn.SiLU, nn.Mish,
    nn.Softsign, nn.Tanh, nn.Tanhshrink, nn.Identity,
):  # fmt: skip
    _pointwise(_kind)
_pointwise(nn.ELU, lambda d: {"alpha": d.number(0.2, 2)})
_pointwise(nn.CELU, lambda d: {"alpha": d.number(0.2, 2)})
_pointwise(nn.GELU, lambda d: {"approximate": d.pick("none", "tanh")})
_pointwise(nn.Hardshrink, lambda d: {"lambd": d.number(0, 1)})
_pointwise(nn.Softshrink, lambda d: {"lambd": d.number(0, 1)})
_pointwise(nn.Hardtanh, lambda d: {"min_val": d.number(-2, -0.1), "max_val": d.number(0.1, 2)})
_pointwise(nn.LeakyReLU, lambda d: {"negative_slope": d.number(0, 1)})
_pointwise(nn.Softplus, lambda d: {"beta": d.number(0.3, 3), "threshold": d.pick(20, 20, 1, 5)})
_pointwise(nn.Threshold, lambda d: {"threshold": d.number(-1, 1), "value": d.number(-3, 3)})


def _prelu(d: Draw) -> Made:
    x = d.x(*d.sizes(d.size(2, 4), 2))
    return nn.PReLU(d.pick(1, x.shape[1])), (x,)


_enter(nn.PReLU, _prelu)
for _kind in (nn.Softmax, nn.Softmin, nn.LogSoftmax):
    _enter(_kind, lambda d, k=_kind: (k(dim=d.pick(-1, 0)), (d.some(),)))
_enter(nn.Softmax2d, lambda d: (nn.Softmax2d(), (d.images(2, 2, 4),)))
_enter(nn.GLU, lambda d: (nn.GLU(d.pick(0, -1)), (d.x(2 * d.size(), d.size(), 2 * d.size()),)))

# Convolutions


def _conv(kind: Any, axes: int, transposed: bool) -> Any:
    def make(d: Draw) -> Made:
        groups, big = d.pick(1, 1, 2), 7 if axes < 3 else 5
        c, k = groups * d.size(1, 2), groups * d.size(1, 3)
        kernel, stride, dilation = d.sizes(axes, 1, 3), d.sizes(axes, 1, 2), d.sizes(axes, 1, 2)
        named: dict[str, Any] = {"stride": stride, "dilation": dilation, "groups": groups, "bias": d.flag()}
        named["padding"] = d.sizes(axes, 0, 1)
        if transposed:
            named["output_padding"] = tuple(d.pick(0, max(s, n) - 1) for s, n in zip(stride, dilation, strict=True))
        else:
            named["padding_mode"] = d.pick("zeros", "zeros", "reflect", "replicate", "circular")
            if d.rng.random() < 0.2:
                named |= {"padding": d.pick("same", "valid"), "stride": 1}
        return kind(c, k, kernel, **named), (d.images(axes, big - 2, big, c),)

    return make


for _axes in (1, 2, 3):
    _kind = getattr(nn, f"Conv{_axes}d")
    _enter(_kind, _conv(_kind, _axes, False))
    _kind = getattr(nn, f"ConvTranspose{_axes}d")
    _enter(_kind, _conv(_kind, _axes, True))


def _unfold(d: Draw) -> Made:
    kernel = d.sizes(2, 1, 3)
    return nn.Unfold(kernel, d.size(1, 2), d.size(0, 1), d.size(1, 2)), (d.x(2, d.size(1, 3), 7, 6),)


def _fold(d: Draw) -> Made:
    kernel, stride, pad = d.sizes(2, 1, 3), d.sizes(2, 1, 2), d.sizes(2, 0, 1)
    blocks = [(n + 2 * p - k) // s + 1 for n, p, k, s in zip((7, 6), pad, kernel, stride, strict=True)]
    fold = nn.Fold((7, 6), kernel, padding=pad, stride=stride)
    return fold, (d.x(2, d.size(1, 3) * kernel[0] * kernel[1], blocks[0] * blocks[1]),)


_enter(nn.Unfold, _unfold)
_enter(nn.Fold, _fold)

# Pooling


def _pool(kind: Any, axes: int, average: bool) -> Any:
    def make(d: Draw) -> Made:
        kernel = d.sizes(axes, 1, 3) if axes > 1 else d.size(1, 3)
        least = min(kernel) if isinstance(kernel, tuple) else kernel
        named: dict[str, Any] = {"stride": d.pick(None, 1, 2), "ceil_mode": d.flag(), "padding": d.size(0, least // 2)}
        if average:
            named["count_include_pad"] = d.flag()
            if axes > 1 and d.rng.random() < 0.3:
                named["divisor_override"] = d.size(1, 5)
        else:
            named["dilation"] = d.size(1, 2)
        return kind(kernel, **named), (d.images(axes, 5, 8 if axes < 3 else 6),)

    return make


for _axes in (1, 2, 3):
    _kind = getattr(nn, f"MaxPool{_axes}d")
    _enter(_kind, _pool(_kind, _axes, False))
    _kind = getattr(nn, f"AvgPool{_axes}d")
    _enter(_kind, _pool(_kind, _axes, True))
    for _form in ("AdaptiveMaxPool", "AdaptiveAvgPool"):
        _kind = getattr(nn, f"{_form}{_axes}d")
        _enter(_kind, lambda d, k=_kind, a=_axes: (k(d.sizes(a, 1, 4) if a > 1 else d.size()), (d.images(a, 4, 7),)))
    _kind = getattr(nn, f"LPPool{_axes}d")
    _enter(
        _kind,
        lambda d, k=_kind, a=_axes: (
            k(d.pick(1.0, 2.0, 3.0), d.size(1, 3), d.pick(None, 1, 2), d.flag()),
            (d.x(2, 2, *d.sizes(a, 4, 6)).abs() + 0.1,),
        ),
    )

# Padding

for _axes in (1, 2, 3):
    for _form in ("Reflection", "Replication", "Zero", "Circular"):
        _kind = getattr(nn, f"{_form}Pad{_axes}d")
        _enter(_kind, lambda d, k=_kind, a=_axes: (k(d.sizes(2 * a, 0, 3)), (d.images(a, 4, 6),)))
    _kind = getattr(nn, f"ConstantPad{_axes}d")
    _enter(
        _kind,
        lambda d, k=_kind, a=_axes: (k(tuple(n - 1 for n in d.sizes(2 * a, 0, 3)), d.number(-2, 2)), (d.images(a),)),
    )

# Norms


def _batch_norm(kind: Any, axes: int) -> Any:
    def make(d: Draw) -> Made:
        c = d.size(1, 4)
        norm = kind(c, eps=d.number(1e-5, 0.1), affine=d.flag())
        norm.running_mean.copy_(d.x(c))
        norm.running_var.copy_(d.unit(c))
        return norm, (d.x(2, c, *d.sizes(axes, 2, 4)),)

    return make


for _axes in (1, 2, 3):
    _kind = getattr(nn, f"BatchNorm{_axes}d")
    _enter(_kind, _batch_norm(_kind, _axes))
    _kind = getattr(nn, f"InstanceNorm{_axes}d")
    _enter(_kind, lambda d, k=_kind, a=_axes: (k(3, affine=d.flag()), (d.x(2, 3, *d.sizes(a, 2, 4)),)))
_enter(
    nn.GroupNorm, lambda d: (nn.GroupNorm(d.pick(1, 2, 4), 4, affine=d.flag()), (d.x(2, 4, *d.sizes(d.size(0, 3), 2)),))
)
_enter(nn.LocalResponseNorm, lambda d: (nn.LocalResponseNorm(d.size(1, 3)), (d.x(2, 4, *d.sizes(2, 2, 4)),)))


def _layer_norm(kind: Any) -> Any:
    def make(d: Draw) -> Made:
        x = d.x(*d.sizes(d.size(2, 4), 2))
        named = {"elementwise_affine": d.flag(), "eps": d.number(1e-5, 0.1)}
        return kind(x.shape[-d.size(1, x.ndim - 1) :], **named), (x,)

    return make


_enter(nn.LayerNorm, _layer_norm(nn.LayerNorm))
_enter(nn.RMSNorm, _layer_norm(nn.RMSNorm))

# Recurrent


def _recurrent(kind: Any) -> Any:
    def make(d: Draw) -> Made:
        steps, batch, inputs, hidden = d.sizes(4, 1, 4)
        named: dict[str, Any] = {"num_layers": d.size(1, 2), "bias": d.flag(), "batch_first": d.flag()}
        named["bidirectional"] = d.flag()
        if kind is nn.RNN:
            named["nonlinearity"] = d.pick("tanh", "relu")
        shape = (batch, steps, inputs) if named["batch_first"] else (steps, batch, inputs)
        return kind(inputs, hidden, **named), (d.x(*shape),)

    return make


for _kind in (nn.RNN, nn.LSTM, nn.GRU):
    _enter(_kind, _recurrent(_kind))
for _kind in (nn.RNNCell, nn.GRUCell):
    _enter(_kind, lambda d, k=_kind: (k(3, 4, bias=d.flag()), (d.x(2, 3), d.x(2, 4))))


class _Cell(nn.LSTMCell):
    def forward(self, x: torch.Tensor, h: torch.Tensor, c: torch.Tensor) -> Any:
        return super().forward(x, (h, c))


_enter(nn.LSTMCell, lambda d: (_Cell(3, 4, bias=d.flag()), (d.x(2, 3), d.x(2, 4), d.x(2, 4))))

# Attention


class _Attention(nn.MultiheadAttention):
    needs = False

    def forward(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None = None) -> Any:
        return super().forward(q, k, v, need_weights=self.needs, attn_mask=mask)


def _attention(d: Draw) -> Made:
    heads, first = d.size(1, 3), d.flag()
    width, steps = heads * d.size(1, 3), d.size(1, 4)
    made = _Attention(width, heads, bias=d.flag(), batch_first=first, add_bias_kv=d.rng.random() < 0.2)
    made.needs = d.flag()
    shape = (2, steps, width) if first else (steps, 2, width)
    return made, (d.x(*shape), d.x(*shape), d.x(*shape))


_enter(nn.MultiheadAttention, _attention)


def _transformer(kind: Any, inputs: int) -> Any:
    def make(d: Draw) -> Made:
        named = {"norm_first": d.flag(), "batch_first": True, "activation": d.pick("relu", "gelu"), "bias": d.flag()}
        made = kind(4, 2, 6, **named)
        # Where no gradient is wanted PyTorch takes one fused operator in its layers' place.
        return made, tuple(d.x(2, d.size(1, 4), 4) for _ in range(inputs))

    return make


_enter(nn.TransformerEncoderLayer, _transformer(nn.TransformerEncoderLayer, 1))
_enter(nn.TransformerDecoderLayer, _transformer(nn.TransformerDecoderLayer, 2))
_enter(
    nn.Transformer,
    lambda d: (
        nn.Transformer(4, 2, 1, 1, 6, norm_first=d.flag(), batch_first=True),
        (d.x(2, d.size(), 4), d.x(2, d.size(), 4)),
    ),
)

# Linear, sparse, distances

_enter(nn.Linear, lambda d: (nn.Linear(3, d.size(), bias=d.flag()), (d.x(*d.sizes(d.size(0, 3)), 3),)))
_enter(nn.Bilinear, lambda d: (nn.Bilinear(3, 4, 2, bias=d.flag()), (d.x(2, 3), d.x(2, 4))))
_enter(
    nn.Embedding,
    lambda d: (nn.Embedding(5, d.size(), padding_idx=d.pick(None, 0, -1)), (d.whole(5, *d.sizes(d.size(1, 3))),)),
)
_enter(
    nn.EmbeddingBag,
    lambda d: (nn.EmbeddingBag(5, 3, mode=d.pick("sum", "mean")), (d.whole(5, 2, d.size()),)),
)
_enter(nn.CosineSimilarity, lambda d: (nn.CosineSimilarity(d.pick(0, 1)), (d.x(3, 4), d.x(3, 4))))
_enter(
    nn.PairwiseDistance,
    lambda d: (nn.PairwiseDistance(d.pick(1.0, 2.0, 3.0), keepdim=d.flag()), (d.x(3, 4), d.x(3, 4))),
)

# Dropout, off

for _kind in (nn.Dropout, nn.AlphaDropout, nn.FeatureAlphaDropout):
    _pointwise(_kind, lambda d: {"p": d.number(0, 1)})
for _axes in (1, 2, 3):
    _kind = getattr(nn, f"Dropout{_axes}d")
    _enter(_kind, lambda d, k=_kind, a=_axes: (k(d.number(0, 1)), (d.images(a, 2, 3),)))

# Losses


def _loss(kind: Any, inputs: Any, arguments: Any = lambda d: {}, *rest: int) -> None:
    _enter(kind, lambda d: (kind(reduction=d.pick("mean", "sum", "none"), **arguments(d)), inputs(d)), *rest)


def _two(d: Draw) -> tuple[torch.Tensor, ...]:
    x = d.some()
    return x, d.x(*x.shape)


def _classes(d: Draw) -> tuple[torch.Tensor, ...]:
    n, c, space = d.size(), 4, d.sizes(d.pick(0, 0, 1, 2))
    return d.x(n, c, *space), d.whole(c, n, *space)


_loss(nn.L1Loss, _two)
_loss(nn.MSELoss, _two)
_loss(nn.HuberLoss, _two, lambda d: {"delta": d.number(0.2, 2)})
_loss(nn.SmoothL1Loss, _two, lambda d: {"beta": d.number(0.1, 2)})
_loss(nn.KLDivLoss, lambda d: (d.x(3, 4).log_softmax(1), d.x(3, 4).softmax(1)), lambda d: {}, 1)
_loss(nn.BCELoss, lambda d: (d.unit(3, 4), d.unit(3, 4)), lambda d: {"weight": d.pick(None, d.unit(4))})
_loss(nn.BCEWithLogitsLoss, lambda d: (d.x(3, 4), d.unit(3, 4)), lambda d: {"pos_weight": d.pick(None, d.unit(4))})
_loss(nn.PoissonNLLLoss, _two, lambda d: {"log_input": True, "full": False})
_loss(nn.SoftMarginLoss, lambda d: (d.x(3, 4), d.signs(3, 4)), lambda d: {}, 1)
_loss(nn.HingeEmbeddingLoss, lambda d: (d.x(3, 4), d.signs(3, 4)), lambda d: {"margin": d.number(0.5, 2)}, 1)
_loss(nn.MarginRankingLoss, lambda d: (d.x(5), d.x(5), d.signs(5)), lambda d: {"margin": d.number(0, 1)}, 2)
_loss(
    nn.CosineEmbeddingLoss, lambda d: (d.x(3, 4), d.x(3, 4), d.signs(3)), lambda d: {"margin": d.number(-0.5, 0.5)}, 2
)
_loss(
    nn.TripletMarginLoss,
    lambda d: (d.x(3, 4), d.x(3, 4), d.x(3, 4)),
    lambda d: {"margin": d.number(0.5, 2), "swap": d.flag()},
)
_loss(nn.TripletMarginWithDistanceLoss, lambda d: (d.x(3, 4), d.x(3, 4), d.x(3, 4)), lambda d: {"swap": d.flag()})
_loss(nn.MultiLabelSoftMarginLoss, lambda d: (d.x(3, 4), d.whole(2, 3, 4).double()), lambda d: {}, 1)
_loss(
    nn.MultiMarginLoss, lambda d: (d.x(3, 4), d.whole(4, 3)), lambda d: {"p": d.pick(1, 2), "margin": d.number(0.5, 1)}
)
_loss(
    nn.CrossEntropyLoss,
    _classes,
    lambda d: {
        "weight": d.pick(None, d.unit(4)),
        "label_smoothing": d.pick(0.0, 0.2),
        "ignore_index": d.pick(-100, -100, 0),
    },
)
_loss(nn.NLLLoss, _classes, lambda d: {"weight": d.pick(None, d.unit(4)), "ignore_index": d.pick(-100, -100, 0)})

# Pictures and shapes

_enter(nn.PixelShuffle, lambda d: (nn.PixelShuffle(2), (d.x(2, 4 * d.size(1, 2), *d.sizes(2)),)))
_enter(nn.PixelUnshuffle, lambda d: (nn.PixelUnshuffle(2), (d.x(2, d.size(1, 2), 2 * d.size(), 2 * d.size()),)))
_enter(nn.ChannelShuffle, lambda d: (nn.ChannelShuffle(2), (d.x(2, 4, *d.sizes(2)),)))
_enter(nn.UpsamplingNearest2d, lambda d: (nn.UpsamplingNearest2d(scale_factor=d.size(1, 3)), (d.x(2, 2, 3, 4),)))
_enter(nn.UpsamplingBilinear2d, lambda d: (nn.UpsamplingBilinear2d(size=d.sizes(2, 2, 7)), (d.x(2, 2, 3, 4),)))


def _upsample(d: Draw) -> Made:
    mode = d.pick("nearest", "linear", "bilinear", "bicubic", "trilinear")
    axes = {"linear": 1, "bilinear": 2, "bicubic": 2, "trilinear": 3}.get(mode) or d.size(1, 3)
    named: dict[str, Any] = {"mode": mode} if mode == "nearest" else {"mode": mode, "align_corners": d.flag()}
    if d.flag():
        named["size"] = d.sizes(axes, 1, 7)
    else:
        named["scale_factor"] = tuple(d.number(0.6, 2.5) for _ in range(axes))
    return nn.Upsample(**named), (d.x(2, 2, *d.sizes(axes, 2, 5)),)


_enter(nn.Upsample, _upsample)
_enter(nn.Flatten, lambda d: (nn.Flatten(d.pick(0, 1, 2)), (d.x(*d.sizes(4)),)))
_enter(nn.Unflatten, lambda d: (nn.Unflatten(1, (2, 3)), (d.x(2, 6, d.size()),)))
