"""State keeps its PyTorch names, shapes and sharing, there and back."""

from __future__ import annotations

import copy
import io

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from selvedge import ir
from selvedge.artifact.folding import Fold
from selvedge.artifact.layout import Layout
from selvedge.capture import SGD, Captured, CrossEntropy, capture, programs, select
from selvedge.errors import InvalidInput

from .parity import parameter_gradients, predict, stored_inputs


class Tied(nn.Module):
    """A tied decoder, a shared module, a frozen parameter, buffers of three sorts, a parameter that nothing reads."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Linear(4, 4), nn.Linear(4, 4)
        self.decoder.weight = self.encoder.weight
        self.norm = nn.BatchNorm1d(4)
        self.frozen = nn.Parameter(torch.randn(4), requires_grad=False)
        self.idle = nn.Parameter(torch.randn(2))
        self.register_buffer("offset", torch.randn(4))
        self.register_buffer("passing", torch.randn(4), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.encoder(x)) * self.frozen + self.offset
        return self.decoder(torch.tanh(x)) + F.linear(x, self.encoder.weight.t()) * self.passing


def _tied() -> tuple[Tied, torch.Tensor]:
    torch.manual_seed(0)
    return Tied().eval(), torch.randn(3, 4)


def test_state_dict_comes_back_whole() -> None:
    model, x = _tied()
    captured = capture(model, x)
    back = captured.state_dict(captured.stored())
    assert list(back) == list(model.state_dict())
    for name, tensor in model.state_dict().items():
        np.testing.assert_array_equal(back[name], tensor.numpy())
        assert back[name].dtype == tensor.numpy().dtype
    model.load_state_dict({name: torch.from_numpy(array) for name, array in back.items()})


def test_shared_parameters_stay_shared() -> None:
    model, x = _tied()
    captured = capture(model, x)
    assert captured.aliases == {"decoder.weight": "encoder.weight"}
    assert "decoder.weight" not in captured.state
    np.testing.assert_allclose(predict(captured, x)["output"], model(x).detach().numpy(), rtol=1e-5, atol=1e-6)
    y = np.array([0, 1, 3], np.int32)
    found = parameter_gradients(captured, x, y)
    F.cross_entropy(model(x), torch.from_numpy(y).long()).backward()
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            np.testing.assert_allclose(found[name], parameter.grad.numpy(), rtol=1e-4, atol=1e-6)


def test_what_trains_and_what_does_not() -> None:
    model, x = _tied()
    captured = capture(model, x)
    assert captured.trainable == ("encoder.weight", "encoder.bias", "decoder.bias", "norm.weight", "norm.bias")
    assert set(captured.constant) == {"idle", "norm.num_batches_tracked"}
    kinds = {name: value.node.attrs["kind"] for name, value in captured.graph.state.items()}
    assert kinds["offset"] == kinds["norm.running_mean"] == "buffer"
    assert kinds["frozen"] == "parameter"


def test_loading_a_state_dict_is_the_inverse() -> None:
    model, x = _tied()
    captured = capture(model, x)
    other = Tied().eval()
    loaded = captured.load({name: tensor.numpy() for name, tensor in other.state_dict().items()})
    expected = capture(other, x).stored()
    assert loaded.keys() == expected.keys()
    for name in loaded:
        np.testing.assert_array_equal(loaded[name], expected[name])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("idle"), "state dict is without idle: give every entry of the model's state_dict()"),
        (lambda s: s.update(extra=np.zeros(1)), "state dict is with extra: this model has no such entry; take it out"),
        (
            lambda s: s.update(idle=np.full(2, np.nan)),
            "state idle is not finite: it holds NaN, Inf or more than float32 can; give finite numbers",
        ),
        (lambda s: s.update(idle=np.zeros(2, complex)), "state idle is of dtype complex128: give float32"),
        (lambda s: s.update(idle=np.array(["a", "b"])), "state idle is of dtype <U1: give float32"),
        (
            lambda s: s.update({"norm.running_var": -np.ones(4)}),
            "state norm.running_var is -1 in a channel: a variance is at least 0",
        ),
        (
            lambda s: s.update({"norm.num_batches_tracked": np.array(1.7)}),
            "state norm.num_batches_tracked is not whole: it holds what int64 cannot; give whole numbers in its range",
        ),
        (
            lambda s: s.update({"norm.num_batches_tracked": np.array(np.nan)}),
            "state norm.num_batches_tracked is not finite: it holds NaN, Inf or more than int64 can; give finite "
            "numbers",
        ),
        (
            lambda s: s.update({"decoder.weight": np.zeros((4, 4))}),
            "state decoder.weight is different from encoder.weight: the model shares them; give one array",
        ),
        (lambda s: s.update(idle=np.zeros(3)), "state idle is of shape (3,): the plan was made for (2,)"),
    ],
)
def test_a_wrong_state_dict_is_refused(change, message) -> None:
    model, x = _tied()
    given = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    change(given)
    with pytest.raises(InvalidInput) as error:
        capture(model, x).load(given)
    assert str(error.value) == message


def test_layouts_of_weights() -> None:
    class All(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.image, self.line, self.fc = nn.Conv2d(2, 3, (4, 5)), nn.Conv1d(3, 6, 2), nn.Linear(6, 7)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc(self.line(self.image(x).flatten(2)).mean(-1))

    captured = capture(All().eval(), torch.randn(1, 2, 6, 7))
    shapes = {name: value.shape for name, value in captured.graph.state.items()}
    assert shapes["image.weight"] == (4, 5, 2, 3)
    assert shapes["line.weight"] == (1, 2, 3, 6)
    assert shapes["fc.weight"] == (6, 7)
    assert captured.graph.inputs["x"].shape == (1, 6, 7, 2)
    assert not any(n.op == "transpose" for n in captured.graph.nodes())


def test_an_exported_program_is_captured_as_its_module() -> None:
    model, x = _tied()
    file = io.BytesIO()
    torch.export.save(torch.export.export(model, (x,)), file)
    file.seek(0)
    program, module = capture(torch.export.load(file), x), capture(model, x)
    assert set(program.trainable) == set(module.trainable)
    assert program.aliases.keys() == module.aliases.keys()
    np.testing.assert_array_equal(predict(program, x)["output"], predict(module, x)["output"])
    with pytest.raises(InvalidInput, match=r"the model was exported for \(3, 4\)"):
        capture(torch.export.load(io.BytesIO(file.getvalue())), torch.randn(2, 4))


# Folded norms


class Normed(nn.Module):
    """Every sort of norm that can be folded: with both biases, with one, with none; and one that cannot."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.na = nn.Conv2d(2, 4, 3, bias=False), nn.BatchNorm2d(4)
        self.b, self.nb = nn.Conv2d(4, 4, 3, padding=1, groups=4), nn.BatchNorm2d(4, eps=1e-3)
        self.c, self.nc = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4, affine=False)
        self.d, self.nd = nn.Conv2d(4, 4, 1, bias=False), nn.BatchNorm2d(4, affine=False)
        self.free = nn.BatchNorm2d(4)
        self.fc, self.nfc = nn.Linear(4, 3), nn.BatchNorm1d(3)
        for norm in self.modules():
            if isinstance(norm, nn.BatchNorm2d | nn.BatchNorm1d):
                nn.init.normal_(norm.running_mean)
                nn.init.uniform_(norm.running_var, 0.5, 2)
                if norm.affine:
                    nn.init.uniform_(norm.weight, 0.5, 2)
                    nn.init.normal_(norm.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.na(self.a(x)))
        x = self.free(F.relu_(self.nb(self.b(x)))) + x
        x = torch.tanh(self.nd(self.d(self.nc(self.c(x)))))
        return self.nfc(self.fc(x.mean((2, 3))))


def _normed() -> tuple[Normed, torch.Tensor, Captured]:
    torch.manual_seed(0)
    model, x = Normed().double().eval(), torch.randn(2, 2, 6, 5, dtype=torch.float64)
    return model, x, capture(model, x, norms="folded")


def test_folded_norms_predict_the_same() -> None:
    model, x, captured = _normed()
    np.testing.assert_allclose(predict(captured, x)["output"], model(x).detach().numpy(), rtol=1e-10)
    assert [fold.weight for fold in captured.folds] == ["a.weight", "b.weight", "c.weight", "d.weight", "fc.weight"]
    assert {"na.weight", "nb.running_var", "b.bias"} <= set(captured.constant)
    assert "free.weight" in captured.state


def _fused(model: Normed) -> tuple[nn.Module, dict[str, nn.Parameter]]:
    """PyTorch's own fused module, and its parameters under the names that the folded state has."""
    from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

    fused, names = copy.deepcopy(model), {}
    for layer, norm in (("a", "na"), ("b", "nb"), ("c", "nc"), ("d", "nd"), ("fc", "nfc")):
        fuse = fuse_linear_bn_eval if layer == "fc" else fuse_conv_bn_eval
        together = fuse(getattr(fused, layer), getattr(fused, norm))
        together.bias.requires_grad_()
        setattr(fused, layer, together)
        setattr(fused, norm, nn.Identity())
        names[f"{layer}.weight"] = together.weight
        names[f"{norm}.bias" if getattr(model, norm).affine else f"{layer}.bias"] = together.bias
    return fused, names


def test_folded_gradients_are_those_of_pytorchs_fused_module() -> None:
    model, x, captured = _normed()
    fused, names = _fused(model)
    y = np.array([2, 0], np.int32)
    F.cross_entropy(fused(x), torch.from_numpy(y).long()).backward()
    found = parameter_gradients(captured, x, y)
    for name in found:
        parameter = names.get(name, dict(fused.named_parameters()).get(name))
        np.testing.assert_allclose(found[name], parameter.grad.numpy(), rtol=1e-9, atol=1e-12, err_msg=name)
    assert set(names) - set(found) == {"d.bias"}


def test_folded_state_unfolds_to_pytorchs_names() -> None:
    """Trained folded state, given back to PyTorch, predicts what the folded graph predicts."""
    model, x, captured = _normed()
    for name, tensor in captured.state_dict(captured.stored()).items():
        np.testing.assert_allclose(tensor, model.state_dict()[name].numpy(), rtol=1e-10, atol=1e-12)
    rng = np.random.default_rng(0)
    moved = {name: array + 0.1 * rng.normal(size=array.shape) for name, array in captured.stored().items()}
    moved["free.running_var"] = np.abs(moved["free.running_var"])
    moved["nd.running_mean.folded"] = captured.stored()["nd.running_mean.folded"]  # what PyTorch has no name for
    back = captured.state_dict(moved)
    model.load_state_dict({name: torch.from_numpy(np.asarray(array)) for name, array in back.items()})
    again = captured.load(back)
    for name in moved:
        np.testing.assert_allclose(again[name], moved[name], rtol=1e-9, atol=1e-12)
    fresh = capture(model, x, norms="folded")
    np.testing.assert_allclose(predict(fresh, x)["output"], model(x).detach().numpy(), rtol=1e-9)


def test_a_fold_survives_its_manifest() -> None:
    for fold in _normed()[2].folds:
        assert Fold.from_dict(fold.to_dict()) == fold


def test_folding_what_could_not_be_undone_is_refused() -> None:
    model, x, _ = _normed()
    with torch.no_grad():
        model.nb.weight[2] = 1e-5
    with pytest.raises(InvalidInput, match=r"state nb.weight is of \|gamma\| / sigma = .* plan with norms='frozen'"):
        capture(model, x, norms="folded")


def test_folding_what_would_overflow_is_refused() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)).eval()
    with torch.no_grad():
        model[0].weight[2] = 100
        model[1].weight[2] = 3e38
    with pytest.raises(InvalidInput, match=r"state 1.weight is too large to fold: 0.weight would not be finite"):
        capture(model, torch.randn(1, 3, 2, 2), norms="folded")


def test_every_loaded_entry_reaches_a_folded_bias_that_pytorch_has_no_name_for() -> None:
    _, x, captured = _normed()
    other = Normed().double().eval()
    loaded = captured.load(other.state_dict())
    found = ir.interpret(captured.graph, stored_inputs(captured, x), loaded)["output"]
    np.testing.assert_allclose(captured.layouts["output"].restore(found), other(x).detach().numpy(), rtol=1e-9)
    assert "nd.running_mean.folded" not in captured.state_dict(loaded)
    assert "nd.running_mean.folded" not in captured.trainable


@pytest.mark.filterwarnings("ignore::FutureWarning")  # torch's own, in run_decompositions
def test_a_decomposed_program_folds_its_convolutions() -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.na = nn.Conv2d(2, 3, 3, bias=False), nn.BatchNorm2d(3)
            self.up, self.nup = nn.ConvTranspose2d(3, 3, 2), nn.BatchNorm2d(3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.nup(self.up(self.na(self.a(x))))

    torch.manual_seed(0)
    model, x = Both().double().eval(), torch.randn(1, 2, 5, 5).double()
    nn.init.normal_(model.na.running_mean)
    for given in (model, torch.export.export(model, (x,)).run_decompositions()):
        captured = capture(given, x, norms="folded")
        assert [fold.weight for fold in captured.folds] == ["a.weight"]
        assert captured.batch_norms == 2
        np.testing.assert_allclose(predict(captured, x)["output"], model(x).detach().numpy(), rtol=1e-10)


def test_a_shared_layer_is_not_folded() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.norm(self.conv(self.norm(self.conv(x))))

    captured = capture(Twice().eval(), torch.randn(1, 3, 2, 2), norms="folded")
    assert captured.folds == ()


# Choosing what to update


@pytest.mark.parametrize(
    ("update", "names"),
    [
        ("full", ("encoder.weight", "encoder.bias", "decoder.bias", "norm.weight", "norm.bias")),
        ("bias", ("encoder.bias", "decoder.bias", "norm.bias")),
        ("last:1", ("decoder.bias",)),
        ("last:2", ("encoder.weight", "encoder.bias", "decoder.bias", "norm.weight", "norm.bias")),
        ("norm.*", ("norm.weight", "norm.bias")),
        ("decoder.weight, *.bias", ("encoder.weight", "encoder.bias", "decoder.bias", "norm.bias")),
        (["norm.bias", "encoder.weight"], ("encoder.weight", "norm.bias")),
    ],
)
def test_what_to_update(update, names) -> None:
    assert tuple(select(capture(*_tied()), update)) == names


def test_last_layers_are_the_same_under_frozen_and_folded_norms() -> None:
    model, x, folded = _normed()
    frozen = capture(model, x)
    assert [layer.name for layer in frozen.layers] == [layer.name for layer in folded.layers]
    assert tuple(select(frozen, "last:1")) == ("fc.weight", "fc.bias", "nfc.weight", "nfc.bias")
    assert tuple(select(folded, "last:1")) == ("fc.weight", "nfc.bias")


@pytest.mark.parametrize(
    ("update", "message"),
    [
        ("last:9", 'update is \'last:9\': give "last:1" to "last:2": so many layers train'),
        ("last:x", 'update is \'last:x\': give "last:1" to "last:2": so many layers train'),
        (
            "head.*",
            'update is \'head.*\': give "full", "auto", "last:K", "bias" or names of encoder.weight, encoder.bias',
        ),
        ("encodr.*", "update is 'encodr.*': did you mean \"encoder.*\"?"),
        ("encoder", "update is 'encoder': did you mean \"encoder.*\"?"),
        ("Auto", "update is 'Auto': did you mean \"auto\"?"),
        ("frozen", "update is 'frozen': give"),
        ([], "update is []: it selects nothing"),
    ],
)
def test_what_cannot_be_updated(update, message) -> None:
    with pytest.raises(InvalidInput) as error:
        select(capture(*_tied()), update)
    assert str(error.value).startswith(message)


def test_a_name_the_optimizer_needs_is_refused() -> None:
    class Taken(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.ParameterDict({"a": nn.Parameter(torch.ones(2))})
            self.register_module("b", nn.Module())

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * self.w["a"]

    captured = capture(Taken().eval(), torch.randn(2, 2))
    assert programs(captured, CrossEntropy(), SGD(0.1, 0.9), ("w.a",)).updated == ("w.a",)


# Layout


@pytest.mark.parametrize(
    "layout",
    [
        Layout.of((2, 3, 4, 5), (2, 3, 1, 0)),
        Layout((2, 1, 0), (1, 4, 3, 2), (2, 3, 4)),
        Layout((1, 0), (3, 2)),
        Layout.of(()),
    ],
)
def test_layouts_store_and_restore(layout: Layout) -> None:
    array = np.arange(np.prod(layout.face, dtype=int), dtype=np.float32).reshape(layout.face)
    stored = layout.store(array)
    assert stored.shape == layout.shape
    assert stored.flags.c_contiguous
    np.testing.assert_array_equal(layout.restore(stored), array)
    assert Layout.from_dict(layout.to_dict()) == layout


def test_bad_layouts_are_refused() -> None:
    with pytest.raises(ValueError, match="perm is"):
        Layout((0, 0), (2, 2))
    with pytest.raises(ValueError, match="face is"):
        Layout((1, 0), (2, 3, 1))
    with pytest.raises(ValueError, match=r"shape is \(2,\); must be \(3,\)"):
        Layout.of((3,)).store(np.zeros(2))
