"""The lowering table on images and layers: value and gradient are PyTorch's, in float64."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from selvedge.capture import capture

from .parity import Function, Wrapped, agree, parameter_gradients, predict

aten = torch.ops.aten

IMAGES: dict[str, Function] = {
    # arithmetic
    "add": lambda x: x + x.mean() + 1,
    "add scalar row": lambda x: aten.add.Scalar(x, 2, 3),
    "add alpha": lambda x: torch.add(x, x * x, alpha=0.5),
    "sub": lambda x: torch.subtract(x - 2, x * x) + aten.sub.Scalar(x, 1),
    "rsub": lambda x: 1 - x,
    "detach": lambda x: x * torch.tanh(x).detach(),
    "rsub alpha": lambda x: torch.rsub(x, x * x, alpha=2),
    "mul": lambda x: torch.multiply(x * 3, x) * aten.mul.Scalar(x, 2),
    "div": lambda x: x / 3 + 1 / (x + 9) + torch.true_divide(x, x * x + 1) + aten.div.Scalar(x, 2),
    "maximum": lambda x: torch.maximum(x, x * x) + torch.max(x, x * 2),
    "minimum": lambda x: torch.minimum(x, x * x) + torch.min(x, 2 * x),
    "compare": lambda x: torch.where(x > 0, x, x * x) + torch.where(x <= 0.5, x, 0.0) + torch.where(x < 1, 0.0, x),
    "compare tensors": lambda x: x * ((x > x.mean()).double() + (x >= 2 * x) + (x < -x) + (x <= -x) + (x == x * x)),
    "compare more": lambda x: x * (x >= 0.1) + x * (x == 0) + x.masked_fill(x < 0, 0.5),
    "masked_fill tensor": lambda x: x.masked_fill(x < 0, torch.tensor(0.5, dtype=x.dtype)),
    "compare in words": lambda x: (
        x * (aten.less.Tensor(x, x * x).double() + aten.less.Scalar(x, 0.1) + aten.less_equal.Tensor(x, -x))
        + x * (aten.less_equal.Scalar(x, 0.2).double() + aten.greater.Tensor(x, x * x) + aten.greater.Scalar(x, 0.3))
        + x * (aten.greater_equal.Tensor(x, -x).double() + aten.greater_equal.Scalar(x, 0.4))
    ),
    "differs": lambda x: (
        x * ((x != 0.1).double() + (x != x.relu()) + aten.not_equal.Tensor(x, x.relu()) + aten.not_equal.Scalar(x, 0))
    ),
    "logic": lambda x: (
        x * (torch.logical_and(x > 0, x < 1).double() + torch.logical_or(x < 0, x) + torch.logical_xor(x > 0, x < 1))
        + x * (torch.logical_not(x > 0).double() + torch.isnan(x) + torch.logical_not(x))
    ),
    "bits": lambda x: (
        x * (((x > 0) & (x < 1)).double() + ((x < 0) | (x > 1)) + ((x > 0) ^ (x < 1)) + ~(x > 0))
        + x * (aten.bitwise_and.Scalar(x > 0, True).double() + aten.bitwise_or.Scalar(x > 0, False))
        + x * (aten.bitwise_xor.Scalar(x > 0, True).double() + aten.bitwise_and.Tensor(x > 0, x < 1))
        + x * (aten.bitwise_or.Tensor(x > 0, x < -1).double() + aten.bitwise_xor.Tensor(x > 0, x < 1))
        + x * (aten.__and__.Tensor(x > 0, x < 1).double() + aten.__or__.Tensor(x > 0, x < -1))
        + x * aten.__xor__.Tensor(x > 0, x < 1)
    ),
    "where of numbers": lambda x: x * torch.where(x > 0, 2.0, 0.5) + x * aten.where.Scalar(x > 0.5, 3.0, 1.0),
    "pow": lambda x: x**2 + (x * x + 1) ** 0.5 + x**3 + (x * x + 1) ** -0.5 + (x + 9) ** -1 + x**1,
    "clamp": lambda x: x.clamp(-0.5, 0.5) + x.clamp(min=0.1) + torch.clip(x, max=0.2),
    "clamp_min": lambda x: torch.clamp_min(x, 0.1) + torch.clamp_max(x, 0.3),
    "clamp to tensors": lambda x: (
        x.clamp(-x.abs(), x * x) + x.clamp(max=x.mean()) + torch.clamp_min(x, x * x) + torch.clamp_max(x, x * x)
    ),
    "addcmul": lambda x: torch.addcmul(x, x, x * x, value=0.5) + torch.addcdiv(x, x, x * x + 1, value=2),
    "lerp": lambda x: torch.lerp(x, x * x, 0.3) + torch.lerp(x, x * x, x),
    # activations
    "unary": lambda x: -x + x.exp() + x.abs() + x.sign() + x.square() + torch.erf(x) + torch.positive(x),
    "positive only": lambda x: (x * x + 0.1).log() + (x * x).log1p() + (x * x + 1).sqrt() + (x * x + 1).rsqrt(),
    "reciprocal": lambda x: (x + 9).reciprocal(),
    "sigmoid": lambda x: x.sigmoid() + x.tanh() + x.relu(),
    "hard": lambda x: F.hardswish(x) + F.hardtanh(x, -0.5, 0.7) + F.relu6(x * 9) + aten.relu6(x),
    "hardsigmoid": lambda x: F.hardsigmoid(x) * 0 + F.relu6(x + 3) / 6,
    "silu": lambda x: F.silu(x) + F.gelu(x) + F.gelu(x, approximate="tanh"),
    "leaky": lambda x: F.leaky_relu(x, 0.3) + F.elu(x, 0.5) + F.softplus(x) + F.softplus(x, beta=2),
    "log_sigmoid": lambda x: F.logsigmoid(x) + F.softsign(x) + F.mish(x) + torch.exp2(x),
    "self-normalising": lambda x: F.selu(x) + F.celu(x, 0.7) + aten.elu(x, 0.5, 1.2, 0.8) + F.rrelu(x, 0.1, 0.3),
    "softplus that ends early": lambda x: F.softplus(x, beta=2, threshold=1.5) + F.softplus(x, threshold=0.5),
    # shape
    "view": lambda x: x.view(x.shape[0], -1, 4).reshape(-1, 4).view(x.shape[0], 6, -1),
    "view_as": lambda x: x.flatten(1).view_as(x) + x.flatten().reshape_as(x),
    "flatten": lambda x: x.flatten(1, 2) * 2,
    "unflatten": lambda x: x.unflatten(1, (3, -1)).sum(2),
    "squeeze": lambda x: x[:, :1].squeeze() + x[:, 1:2].squeeze(1) + x.unsqueeze(0).squeeze((0, 1)).sum(1),
    "unsqueeze": lambda x: x.unsqueeze(-1) * x.unsqueeze(2).sum(2, keepdim=True).sum((0, 1, 2, 3), keepdim=True)[0],
    "permute": lambda x: x.permute(3, 0, 2, 1) * 2,
    "transpose": lambda x: x.transpose(1, 3) + x.swapaxes(-1, 1) + x.permute(0, 3, 2, 1).contiguous(),
    "movedim": lambda x: x.movedim(1, -1) * 2,
    "t": lambda x: x.flatten(1).t() * 2,
    "T": lambda x: aten.numpy_T(x.flatten(1)),
    "channel shuffle": lambda x: x.view(2, 3, 2, 4, 5).transpose(1, 2).reshape(2, 6, 4, 5) * 2,
    "clone": lambda x: aten.alias(x.clone()).contiguous().to(torch.float64) + x.type_as(x) + x.double(),
    "copies": lambda x: aten._to_copy(x) + x.to("cpu") + x.to(x.device, x.dtype) + aten._unsafe_view(x, [2, 6, 4, 5]),
    "to layout": lambda x: aten.to.dtype_layout(x, dtype=torch.float64, layout=torch.strided) * 2,
    "type_as": lambda x: (x > 0).type_as(x) * x,
    "fill tensor": lambda x: x * x.clone().fill_(x.mean()),
    "vector linear": lambda x: F.linear(x, x[0, 0, 0]),
    "fill": lambda x: x * aten.fill.Scalar(x, 2.0) + torch.concat([x[:, 3:], x[:, :3]], 1),
    "slice": lambda x: x[:, 1:-1, ::2, 3:] * 2,
    "empty slice of a cat": lambda x: torch.cat([x[:, :3], x[:, 3:]], 1),
    "narrow": lambda x: x.narrow(2, 1, 2),
    "select": lambda x: x[:, 2] + x.select(1, -1) + x[0, 1],
    "split": lambda x: torch.cat(x.split(4, 1)[::-1], 1) + torch.cat(x.split([2, 3, 1], 1), 1),
    "chunk": lambda x: torch.cat(x.chunk(4, 1)[::-1], 1),
    "unbind": lambda x: torch.stack(x.unbind(1)[::-1], -1),
    "stack": lambda x: torch.stack([x, x * x], 1),
    "cat other orders": lambda x: torch.cat([x, x.permute(0, 1, 3, 2).reshape(x.shape)], 2),
    "expand": lambda x: x[:, :1].expand(-1, 3, -1, -1) * x.mean((2, 3), keepdim=True)[:, :3].expand_as(x[:, :3]),
    "broadcast_to": lambda x: x[:, :1].broadcast_to(4, 2, 3, 4, 5) * 2,
    "repeat": lambda x: x.repeat(2, 1, 3, 1),
    "pad": lambda x: F.pad(x, (1, 2, 0, 1)) + F.pad(x, (1, 2, 0, 1), value=2.0),
    "negative pad": lambda x: F.pad(x, (-1, 2, 1, -1)),
    "constant_pad_nd": lambda x: aten.constant_pad_nd(x, (1, 1), 3.0),
    "zeros_like": lambda x: x + torch.zeros_like(x) + torch.ones_like(x) + torch.full_like(x, 2),
    "new_zeros": lambda x: torch.cat([x, x.new_zeros((2, 1, 4, 5))], 1),
    "constants": lambda x: x * torch.arange(5) + torch.linspace(0, 1, 5) + torch.eye(4, 5),
    # reductions
    "sum": lambda x: x.sum((0, 2)) + x.sum((1, 2, 3), keepdim=True)[0, 0],
    "sum all": lambda x: x.sum() + x * x.mean(),
    "mean": lambda x: x.mean((2, 3)) + x.mean((1, 3))[:, :1] + x.mean(-1, keepdim=True)[..., 0, 0],
    "var": lambda x: x.var((2, 3)) + x.std(1)[:, 0, :1] + torch.var(x, (2, 3), correction=0),
    "var.dim": lambda x: (
        aten.var.dim(x, [2, 3], True, True) + aten.std.correction(x, [2, 3], correction=1, keepdim=True)
    ),
    "amax": lambda x: x.amax((1, 2)) + x.amin((0, 2, 3))[:1] + x.max(),
    "max.dim": lambda x: x.max(2).values + x.max(2, keepdim=True).values[:, :, 0] + x.relu().max(1).values[:, :1],
    "min.dim": lambda x: x.min(2).values + x.min(2, keepdim=True).values[:, :, 0] + x.min(),
    "aminmax": lambda x: sum(torch.aminmax(x, dim=3)) + torch.aminmax(x)[0] * torch.aminmax(x)[1],
    "var_mean": lambda x: sum(torch.var_mean(x, (1, 3), correction=0)) + sum(torch.var_mean(x))[None, None],
    "prod": lambda x: x.prod(1) + x.prod(1, keepdim=True)[:, 0] + x[:1, 0, :2, :3].prod(),
    "prod of a zero": lambda x: (x * (x > -0.5)).prod(3),
    "softmax": lambda x: x.softmax(1) + F.softmax(x, -1) + F.log_softmax(x, 2),
    "raw softmax": lambda x: aten._softmax(x, 1, False) + aten._log_softmax(x, 1, False),
    "norm": lambda x: F.normalize(x, dim=1) + x / torch.linalg.vector_norm(x, dim=(2, 3), keepdim=True),
    "other norms": lambda x: sum(torch.linalg.vector_norm(x, order, 1) for order in (1, 3, torch.inf)),
    # pooling
    "max_pool2d": lambda x: F.max_pool2d(x, 2, 1, 1) + F.max_pool2d(x, (3, 2), (1, 1), (1, 0))[:, :, :1, :1],
    "max_pool2d ceil": lambda x: F.max_pool2d(x, 2, 2, ceil_mode=True) * 2,
    "max_pool2d dilated": lambda x: F.max_pool2d(x, 2, 1, 1, dilation=2),
    "max_pool2d of one image": lambda x: F.max_pool2d(x[0], 2),
    "max_pool2d with indices": lambda x: aten.max_pool2d_with_indices(x, [2, 2], [2, 2])[0],
    "avg_pool2d": lambda x: F.avg_pool2d(x, 3, 2, 1) + F.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
    "avg_pool2d ceil": lambda x: F.avg_pool2d(x, 2, 3, 1, ceil_mode=True) + F.avg_pool2d(x, 2, 3, 1, True, False),
    "avg_pool2d divisor": lambda x: F.avg_pool2d(x, 2, divisor_override=3),
    "adaptive": lambda x: F.adaptive_avg_pool2d(x, (3, 4)) + F.adaptive_max_pool2d(x, (3, 4)),
    "adaptive none": lambda x: F.adaptive_avg_pool2d(x, (None, 7)) * 2,
    "adaptive one image": lambda x: F.adaptive_avg_pool2d(x[0], 1),
    "raw adaptive": lambda x: aten._adaptive_avg_pool2d(x, [2, 2]),
    "max_pool1d": lambda x: F.max_pool1d(x[:, :, 0], 2, 2, 1) + F.avg_pool1d(x[:, :, 0], 2, 2, 1),
    "pool1d of one": lambda x: F.max_pool1d(x[0, :, 0], 2) * F.adaptive_max_pool1d(x[0, :, 0], 2),
    "adaptive1d": lambda x: F.adaptive_avg_pool1d(x[:, :, 0], 3) + F.adaptive_max_pool1d(x[:, :, 0], 3),
    # products
    "matmul": lambda x: x @ x.mT + torch.matmul(x, x[0, 0].mT) + torch.matmul(x[0, 0], x.mT),
    "matmul of vectors": lambda x: x @ x[0, 0, 0] + (x[0, 0, :, 0] @ x)[..., :4] + x[0, 0, 0] @ x[0, 1, 0],
    "mm": lambda x: torch.mm(x[0, 0], x[0, 1].t()) + torch.bmm(x[0], x[1].mT)[0],
    "addmm": lambda x: torch.addmm(x[0, 0, 0, :4], x[0, 0], x[0, 1].t(), beta=0.5, alpha=2),
    "baddbmm": lambda x: torch.baddbmm(x[0, :, :, :4], x[0], x[1].mT),
    "mv": lambda x: torch.mv(x[0, 0], x[0, 0, 0]) + torch.dot(x[0, 0, 0], x[0, 1, 0]),
    "bilinear": lambda x: F.bilinear(x, x * x, x[0, :, 0, :, None] * x[0, :, 0, None], x[0, :, 0, 0]),
    "linear over axes": lambda x: F.linear(x, x[0, 0]) + F.linear(x.permute(0, 2, 1, 3), x[0, 0]).permute(0, 2, 1, 3),
    "linear over channels": lambda x: F.linear(x.permute(0, 2, 3, 1), x[0, :, 0, 0].expand(2, 6)),
    "attention": lambda x: F.scaled_dot_product_attention(x, x * 2, x + 1),
    "causal attention": lambda x: F.scaled_dot_product_attention(x, x * 2, x + 1, is_causal=True, scale=0.3),
    "masked attention": lambda x: F.scaled_dot_product_attention(x, x, x, torch.eye(4, dtype=torch.bool)),
    "biased attention": lambda x: F.scaled_dot_product_attention(x, x, x, x[0, 0, :, :4]),
    # functional norms
    "layer_norm": lambda x: (
        F.layer_norm(x, (4, 5)) + F.layer_norm(x, (5,)) + aten.native_layer_norm(x, [5], None, None, 1e-5)[0]
    ),
    "instance_norm": lambda x: F.instance_norm(x),
    "rms_norm": lambda x: F.rms_norm(x, (5,), eps=1e-5),
    "dropout": lambda x: F.dropout(x, 0.5, False) + F.dropout2d(x, 0.5, False) + aten.native_dropout(x, 0.5, False)[0],
    "alpha_dropout": lambda x: F.alpha_dropout(x, 0.5, False),
    # losses inside of a model
    "nll_loss": lambda x: x * F.nll_loss(x[:, :, 0, 0].log_softmax(1), torch.tensor([3, 0]), ignore_index=5),
    "nll_loss of maps": lambda x: (
        x * F.nll_loss(x, torch.arange(40).reshape(2, 4, 5) % 6, torch.linspace(0, 1, 6).double(), ignore_index=2)
    ),
    "raw nll_loss": lambda x: (
        x * aten.nll_loss(x[:, :, 0, 0], torch.tensor([3, 0])) * aten.nll_loss2d(x, torch.ones(2, 4, 5).long())
        + aten.nll_loss_forward(x[:, :, 0, 0], torch.tensor([3, 0]), None, 2, -100)[0]
        + aten.nll_loss2d_forward(x, torch.ones(2, 4, 5).long(), None, 1, -100)[0]
    ),
    "cross_entropy": lambda x: (
        x * F.cross_entropy(x, torch.arange(40).reshape(2, 4, 5) % 6, label_smoothing=0.1)
        + F.cross_entropy(x, x.softmax(1), x[0, :, 0, 0], reduction="none")[:, None]
    ),
}


def _assigned(x: torch.Tensor) -> torch.Tensor:
    x = x + 0
    x[:, 1:3] = x[:, 3:5] * 2
    x[:, 0] = 1.5
    x[:, 5, 1] += 1
    return x * 2


def _in_place(x: torch.Tensor) -> torch.Tensor:
    """On views, so that only functionalising makes it right."""
    x = x * 1
    view = x[:, :2]
    view.add_(1).mul_(2).sub_(0.5).div_(1.5).clamp_(-2, 2)
    x[:, 2].neg_()
    F.hardtanh_(x[:, 3], -1, 1).masked_fill_(x[:, 3] > 0.5, 0.25)
    return x.exp()


IMAGES |= {"assignment": _assigned, "in place on views": _in_place}

IN_PLACE = {
    "relu_": F.relu_,
    "relu6_": lambda x: F.relu6(x, inplace=True),
    "hardtanh_": lambda x: F.hardtanh_(x, -0.5, 0.5),
    "hardswish_": lambda x: F.hardswish(x, inplace=True),
    "silu_": lambda x: F.silu(x, inplace=True),
    "leaky_relu_": F.leaky_relu_,
    "elu_": F.elu_,
    "sigmoid_": torch.sigmoid_,
    "tanh_": torch.tanh_,
    "clamp_": lambda x: x.clamp_(-0.5, 0.5),
    "add_": lambda x: x.add_(1, alpha=2),
}


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("name", IMAGES)
def test_functions_of_images(name: str) -> None:
    agree(Wrapped(IMAGES[name], 6), torch.randn(2, 6, 4, 5))


@pytest.mark.parametrize("name", IN_PLACE)
def test_in_place_functions(name: str) -> None:
    """Both as they are and functionalised."""
    function = IN_PLACE[name]
    agree(nn.Sequential(nn.Conv2d(3, 4, 2), Wrapped(lambda x: function(x + 0) * 2, 4)), torch.randn(2, 3, 4, 5))
    agree(Wrapped(lambda x: function(x.mul(2)) + 1, 3), torch.randn(2, 3, 4, 5))


class Aliased(nn.Module):
    """An in-place operation on a map that something else reads too."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x)
        view = y[:, 1:]
        y.relu_()
        return view * 2 + y[:, :2]


def test_in_place_operations_are_seen_through_views() -> None:
    agree(Aliased(), torch.randn(2, 3, 4, 5))


DROPPED: dict[str, Function] = {
    "once": lambda h: F.dropout(h, 0.5, False).relu_(),
    "twice": lambda h: F.dropout(F.dropout(h, 0.5, False), 0.5, False).relu_(),
    "in place": lambda h: F.dropout(h, 0.5, False, inplace=True).mul_(2),
    "through a view": lambda h: F.dropout(h, 0.5, False).view(3, 2).relu_().view(2, 3),
    "other dropouts": lambda h: F.alpha_dropout(F.dropout1d(h, 0.5, False), 0.5, False).relu_(),
    "the type it has": lambda h: h.type_as(h).relu_(),
    "dropped last": lambda h: F.dropout(h.relu_(), 0.5, False),
}


class Dropped(nn.Module):
    """What eval-mode dropout returns is its very input: changed in place, it changes what is read beside it."""

    def __init__(self, function: Function) -> None:
        super().__init__()
        self.fc, self.function = nn.Linear(3, 3), function

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        h = self.fc(input)
        return self.function(h) * 3 + h


@pytest.mark.parametrize("name", DROPPED)
def test_in_place_on_what_dropout_returns_is_seen_in_its_input(name: str) -> None:
    torch.manual_seed(0)
    model, x = Dropped(DROPPED[name]).double().eval(), torch.randn(2, 3).double()
    expected = model(x).detach().numpy()
    for made in (model, torch.export.export(model, (x,))):
        np.testing.assert_allclose(predict(capture(made, x), x)["output"], expected, rtol=1e-12)


def test_output_padding_up_to_the_dilation() -> None:
    """Rows beyond the stride: read into the padding, and zeros where there is none left."""
    torch.manual_seed(0)
    x = torch.randn(1, 2, 4, 3).double()
    for stride, dilation, kernel, padding, extra in product((1, 2), (2, 3), (1, 3), (0, 1), (1, 2)):
        if extra >= max(stride, dilation):
            continue
        model = nn.ConvTranspose2d(2, 4, (kernel, 2), stride, padding, (extra, 0), 2, dilation=dilation).double()
        captured, y = capture(model, x), model(x)
        np.testing.assert_allclose(predict(captured, x)["output"], y.detach().numpy(), atol=1e-12)
        target = torch.randn_like(y)
        F.mse_loss(y, target).backward()
        for name, gradient in parameter_gradients(captured, x, target.numpy(), "mse").items():
            np.testing.assert_allclose(gradient, model.get_parameter(name).grad.numpy(), atol=1e-12, err_msg=name)


MODULES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "conv2d": (lambda: nn.Conv2d(6, 4, 3, 2, 1), (2, 6, 7, 8)),
    "conv2d same": (lambda: nn.Conv2d(6, 4, (2, 3), padding="same", dilation=(1, 2)), (2, 6, 7, 8)),
    "conv2d valid": (lambda: nn.Conv2d(6, 4, 3, padding="valid"), (2, 6, 7, 8)),
    "conv2d grouped": (lambda: nn.Conv2d(6, 4, 3, groups=2, bias=False), (2, 6, 7, 8)),
    "conv2d depthwise": (lambda: nn.Conv2d(6, 6, 3, 2, 1, groups=6), (2, 6, 7, 8)),
    "conv2d multiplier": (lambda: nn.Conv2d(3, 6, 3, groups=3), (1, 3, 5, 5)),
    "conv2d of one image": (lambda: nn.Conv2d(6, 4, 3), (6, 7, 8)),
    "conv1d": (lambda: nn.Conv1d(3, 4, 3, 2, 1, 2), (2, 3, 11)),
    "conv1d same": (lambda: nn.Conv1d(3, 4, 4, padding="same"), (2, 3, 11)),
    "conv1d depthwise": (lambda: nn.Conv1d(3, 3, 3, groups=3), (2, 3, 11)),
    "conv1d of one": (lambda: nn.Conv1d(3, 4, 3), (3, 11)),
    "conv_transpose2d": (lambda: nn.ConvTranspose2d(6, 4, 3, 2, 1, 1, groups=2), (2, 6, 3, 4)),
    "conv_transpose2d of one": (lambda: nn.ConvTranspose2d(2, 4, 3, 2), (2, 3, 4)),
    "conv_transpose1d": (lambda: nn.ConvTranspose1d(4, 6, 3, 2, 1, 1, groups=2, dilation=2), (2, 4, 5)),
    "conv3d": (lambda: nn.Conv3d(4, 6, (2, 3, 2), (1, 2, 1), 1, (2, 1, 1), groups=2), (2, 4, 5, 6, 4)),
    "conv3d same": (lambda: nn.Conv3d(3, 4, (2, 3, 2), padding="same"), (2, 3, 4, 5, 4)),
    "conv3d of one": (lambda: nn.Conv3d(3, 4, 2, bias=False), (3, 4, 5, 4)),
    "conv_transpose3d": (lambda: nn.ConvTranspose3d(4, 6, (2, 3, 2), 2, 1, (1, 0, 1), groups=2), (2, 4, 3, 4, 3)),
    "linear": (lambda: nn.Linear(5, 3), (2, 4, 5)),
    "linear of a vector": (lambda: nn.Linear(5, 3), (5,)),
    "batch_norm2d": (lambda: _statistics(nn.BatchNorm2d(6)), (2, 6, 3, 4)),
    "batch_norm1d": (lambda: _statistics(nn.BatchNorm1d(6)), (2, 6)),
    "batch_norm1d lines": (lambda: nn.Sequential(nn.Conv1d(3, 6, 2), _statistics(nn.BatchNorm1d(6))), (2, 3, 5)),
    "batch_norm plain": (lambda: nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3, affine=False)), (2, 2, 3, 4)),
    "layer_norm": (lambda: nn.LayerNorm((4, 5)), (2, 3, 4, 5)),
    "group_norm": (lambda: nn.GroupNorm(3, 6), (2, 6, 4, 5)),
    "group_norm of rows": (lambda: nn.GroupNorm(3, 6), (2, 6)),
    "instance_norm": (lambda: nn.InstanceNorm2d(6, affine=True), (2, 6, 4, 5)),
    "rms_norm": (lambda: nn.RMSNorm(5, eps=1e-5), (2, 3, 5)),
    "prelu": (lambda: nn.PReLU(6), (2, 6, 4, 5)),
    "prelu one": (lambda: nn.PReLU(), (2, 6, 4, 5)),
    "dropout": (lambda: nn.Sequential(nn.Linear(5, 3), nn.Dropout(0.5, inplace=True), nn.Dropout1d(0.1)), (2, 4, 5)),
    "transformer": (lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, activation="gelu"), (2, 5, 8)),
    "rows first": (lambda: nn.Sequential(nn.Unflatten(1, (1, 6, 6)), nn.Conv2d(1, 4, 3), nn.Flatten()), (2, 36)),
}


def _statistics(norm: nn.BatchNorm1d | nn.BatchNorm2d) -> nn.Module:
    nn.init.normal_(norm.running_mean)
    nn.init.uniform_(norm.running_var, 0.5, 2)
    nn.init.normal_(norm.weight)
    return norm


@pytest.mark.parametrize("name", MODULES)
def test_modules(name: str) -> None:
    make, shape = MODULES[name]
    agree(make(), torch.randn(shape))


CORE = ("conv2d", "conv1d", "conv1d depthwise", "conv_transpose2d", "linear", "conv3d", "conv_transpose3d")
CORE += ("batch_norm2d", "layer_norm", "group_norm", "dropout")


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("name", CORE)
def test_programs_in_core_aten(name: str) -> None:
    """What torch.export's default decompositions leave: other names for convolution, norms and products."""
    make, shape = MODULES[name]
    model, x = make().double().eval(), torch.randn(shape, dtype=torch.float64)
    program = torch.export.export(model, (x,)).run_decompositions()
    got = predict(capture(program, x), x)["output"]
    np.testing.assert_allclose(got, model(x).detach().numpy(), rtol=1e-9, atol=1e-12)


def test_bytes_become_floats() -> None:
    class Camera(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 2, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.conv(x.float() / 255) + self.conv(x / 255)

    model, x = Camera().eval(), torch.randint(0, 256, (1, 1, 4, 4), dtype=torch.uint8)
    captured = capture(model, x)
    assert captured.graph.inputs["x"].dtype == "uint8"
    np.testing.assert_allclose(predict(captured, x)["output"], model(x).detach().numpy(), rtol=1e-5, atol=1e-6)
