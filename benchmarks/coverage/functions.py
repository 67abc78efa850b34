"""``torch.nn.functional``: a draw of each function. Those that a module only calls with its own arguments are drawn by
that module's entry."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from . import modules
from .draw import Draw, Entry, Function, Made

ENTRIES: list[Entry] = []
# function -> the module that is it
_BY_MODULE = {
    "hardsigmoid": "Hardsigmoid", "hardswish": "Hardswish", "logsigmoid": "LogSigmoid", "relu": "ReLU",
    "relu6": "ReLU6", "rrelu": "RReLU", "selu": "SELU", "silu": "SiLU", "mish": "Mish", "softsign": "Softsign",
    "tanhshrink": "Tanhshrink",
    "elu": "ELU", "celu": "CELU", "gelu": "GELU", "hardshrink": "Hardshrink", "softshrink": "Softshrink",
    "hardtanh": "Hardtanh", "leaky_relu": "LeakyReLU", "softplus": "Softplus", "threshold": "Threshold",
    "prelu": "PReLU", "glu": "GLU", "unfold": "Unfold", "fold": "Fold", "local_response_norm": "LocalResponseNorm",
    "max_pool1d": "MaxPool1d", "max_pool2d": "MaxPool2d", "max_pool3d": "MaxPool3d", "avg_pool1d": "AvgPool1d",
    "avg_pool2d": "AvgPool2d", "avg_pool3d": "AvgPool3d", "lp_pool1d": "LPPool1d", "lp_pool2d": "LPPool2d",
    "lp_pool3d": "LPPool3d", "adaptive_max_pool1d": "AdaptiveMaxPool1d", "adaptive_max_pool2d": "AdaptiveMaxPool2d",
    "adaptive_max_pool3d": "AdaptiveMaxPool3d", "adaptive_avg_pool1d": "AdaptiveAvgPool1d",
    "adaptive_avg_pool2d": "AdaptiveAvgPool2d", "adaptive_avg_pool3d": "AdaptiveAvgPool3d", "bilinear": "Bilinear",
    "embedding_bag": "EmbeddingBag", "l1_loss": "L1Loss", "mse_loss": "MSELoss", "huber_loss": "HuberLoss",
    "smooth_l1_loss": "SmoothL1Loss", "kl_div": "KLDivLoss", "binary_cross_entropy": "BCELoss",
    "binary_cross_entropy_with_logits": "BCEWithLogitsLoss", "poisson_nll_loss": "PoissonNLLLoss",
    "soft_margin_loss": "SoftMarginLoss", "hinge_embedding_loss": "HingeEmbeddingLoss",
    "margin_ranking_loss": "MarginRankingLoss", "cosine_embedding_loss": "CosineEmbeddingLoss",
    "triplet_margin_loss": "TripletMarginLoss", "multilabel_soft_margin_loss": "MultiLabelSoftMarginLoss",
    "triplet_margin_with_distance_loss": "TripletMarginWithDistanceLoss", "multi_margin_loss": "MultiMarginLoss",
    "cross_entropy": "CrossEntropyLoss", "nll_loss": "NLLLoss", "interpolate": "Upsample", "dropout1d": "Dropout1d",
    "dropout2d": "Dropout2d", "dropout3d": "Dropout3d", "instance_norm": "InstanceNorm2d",
    "multi_head_attention_forward": "MultiheadAttention", "conv_transpose2d": "ConvTranspose2d",
}  # fmt: skip
_MADE = {entry.name: entry for entry in modules.ENTRIES}
for _function, _module in _BY_MODULE.items():
    _entry = _MADE[f"nn.{_module}"]
    ENTRIES.append(Entry(f"F.{_function}", _entry.make, _entry.rest))


def _enter(name: str, make: Any, *rest: int) -> None:
    ENTRIES.append(Entry(f"F.{name}", make, rest))


for _name in ("sigmoid", "tanh"):
    _enter(_name, lambda d, n=_name: (Function(getattr(torch, n)), (d.some(),)))
for _name in ("softmax", "log_softmax", "softmin"):
    _enter(_name, lambda d, n=_name: (Function(getattr(F, n), dim=d.pick(0, -1)), (d.some(),)))
_enter("normalize", lambda d: (Function(F.normalize, p=d.pick(1.0, 2.0, 3.0), dim=d.pick(0, 1)), (d.x(3, 4, 2),)))
_enter("cosine_similarity", lambda d: (Function(F.cosine_similarity, dim=d.pick(0, 1)), (d.x(3, 4), d.x(3, 4))))
_enter("pairwise_distance", lambda d: (Function(F.pairwise_distance, p=d.pick(1.0, 2.0)), (d.x(3, 4), d.x(3, 4))))
_enter("linear", lambda d: (Function(F.linear), (d.x(2, 3), d.x(4, 3), d.x(4))))
_enter("one_hot", lambda d: (Function(lambda x, t: x * F.one_hot(t, 4)), (d.x(3, 4), d.whole(4, 3))))
_enter("pixel_shuffle", lambda d: (Function(F.pixel_shuffle, 3), (d.x(2, 9, *d.sizes(2)),)))
_enter("pixel_unshuffle", lambda d: (Function(F.pixel_unshuffle, 3), (d.x(2, 2, 3, 6),)))
_enter("channel_shuffle", lambda d: (Function(F.channel_shuffle, d.pick(2, 3)), (d.x(2, 6, *d.sizes(2)),)))
_enter("embedding", lambda d: (Function(lambda i, w: F.embedding(i, w)), (d.whole(4, 2, 3), d.x(4, 3))))
_enter("dropout", lambda d: (Function(F.dropout, 0.5, training=False), (d.some(),)))
_enter("alpha_dropout", lambda d: (Function(F.alpha_dropout, 0.5, training=False), (d.some(),)))
_enter("feature_alpha_dropout", lambda d: (Function(F.feature_alpha_dropout, 0.5, training=False), (d.images(2),)))


def _pad(d: Draw) -> Made:
    mode = d.pick("constant", "reflect", "replicate", "circular")
    if mode == "constant":
        x = d.some(3, 5)
        widths = tuple(n - 1 for n in d.sizes(2 * d.size(1, x.ndim), 0, 3))
        return Function(F.pad, widths, mode, d.number(-1, 1)), (x,)
    axes = d.size(1, 3)
    return Function(F.pad, d.sizes(2 * axes, 0, 2), mode), (d.images(axes, 4, 6),)


_enter("pad", _pad)
for _axes in (1, 2, 3):
    _enter(
        f"conv{_axes}d",
        lambda d, a=_axes: (
            Function(getattr(F, f"conv{a}d"), stride=d.size(1, 2), padding=d.size(0, 1)),
            (d.x(2, 2, *d.sizes(a, 4, 5)), d.x(3, 2, *d.sizes(a, 1, 3)), d.x(3)),
        ),
    )
for _axes in (1, 3):
    _enter(
        f"conv_transpose{_axes}d",
        lambda d, a=_axes: (
            Function(getattr(F, f"conv_transpose{a}d"), stride=d.size(1, 2), padding=d.size(0, 1)),
            (d.x(2, 2, *d.sizes(a, 3, 4)), d.x(2, 3, *d.sizes(a, 2, 3)), d.x(3)),
        ),
    )


def _batch_norm(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    return F.batch_norm(x, torch.zeros(3, dtype=x.dtype), torch.ones(3, dtype=x.dtype), weight, bias)


_enter("batch_norm", lambda d: (Function(_batch_norm), (d.x(2, 3, *d.sizes(2)), d.x(3), d.x(3))))
_enter("layer_norm", lambda d: (Function(lambda x, w, b: F.layer_norm(x, (4,), w, b)), (d.x(2, 3, 4), d.x(4), d.x(4))))
_enter("rms_norm", lambda d: (Function(lambda x, w: F.rms_norm(x, (4,), w, 1e-3)), (d.x(2, 3, 4), d.x(4))))
_enter("group_norm", lambda d: (Function(lambda x, w, b: F.group_norm(x, 2, w, b)), (d.x(2, 4, 3), d.x(4), d.x(4))))


def _attention(d: Draw) -> Made:
    shape = d.sizes(d.size(1, 2))
    n, m, e = d.sizes(3)
    q, k, v = d.x(*shape, n, e), d.x(*shape, m, e), d.x(*shape, m, d.size())
    kind = d.pick("plain", "causal", "mask", "bool")
    if kind in ("plain", "causal"):
        return Function(F.scaled_dot_product_attention, is_causal=kind == "causal", scale=d.pick(None, 0.7)), (q, k, v)
    mask = d.x(n, m) if kind == "mask" else torch.from_numpy(d.rng.random((n, m)) < 0.7) | (torch.arange(m) == 0)
    return Function(lambda q, k, v, mask: F.scaled_dot_product_attention(q, k, v, mask)), (q, k, v, mask)


_enter("scaled_dot_product_attention", _attention)
