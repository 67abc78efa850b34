"""An ONNX file is planned for training: what PyTorch has exported learns with PyTorch's gradients."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import helper
from torch import nn

import selvedge as sv
from selvedge.errors import InvalidInput, NotSupported
from tests.formats.tflite.test_write import quantised
from tests.oracle import WIDE, assert_gradients, native_gradients, zoo_model


def exported(model: nn.Module, example: torch.Tensor, path: Path, *, folded: bool = False) -> Path:
    """``folded``: as PyTorch writes a file to predict with: norms in the weights, products of matrices turned."""
    training = torch.onnx.TrainingMode.EVAL if folded else torch.onnx.TrainingMode.PRESERVE
    with warnings.catch_warnings(), io.BytesIO() as buffer:
        warnings.simplefilter("ignore")  # this exporter is the old one: the new one wants a package more
        torch.onnx.export(
            model.eval(), (example,), buffer, dynamo=False, opset_version=17, do_constant_folding=folded,
            training=training, input_names=["x"], dynamic_axes={"x": {0: "n"}},
        )  # fmt: skip
        path.write_bytes(buffer.getvalue())
    return path


class Attention(nn.Module):
    """Norms of layers, products of matrices over several axes, and a softmax inside and at the end."""

    def __init__(self, softmax: bool) -> None:
        super().__init__()
        self.softmax = softmax
        self.encode = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made = self.head(self.encode(x).mean(1))
        return torch.softmax(made, 1) if self.softmax else made


def random_norms(model: nn.Module) -> nn.Module:
    draw = torch.Generator().manual_seed(1)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.GroupNorm):
            nn.init.uniform_(module.weight, 0.5, 1.5, generator=draw)
            nn.init.normal_(module.bias, 0, 0.1, generator=draw)
    return model


MODELS = {
    "one axis": (
        lambda: nn.Sequential(nn.Conv1d(3, 4, 3), nn.BatchNorm1d(4), nn.ReLU(), nn.Flatten(), nn.Linear(24, 3)), (3, 8)
    ),
    "pools": (
        lambda: nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Hardswish(), nn.MaxPool2d(2), nn.Conv2d(4, 6, 1),
            nn.AvgPool2d(2), nn.Flatten(), nn.Linear(24, 3),
        ), (3, 8, 8),
    ),
    "linear": (lambda: nn.Sequential(nn.Linear(6, 8), nn.GELU(), nn.LayerNorm(8), nn.Linear(8, 3)), (6,)),
}  # fmt: skip


@pytest.mark.parametrize("spec", ["resnet8", "ds_cnn", "mobilenet_v2?width=0.35&resolution=32&classes=4"])
def test_a_file_of_the_zoo_learns_with_pytorchs_gradients(spec: str, tmp_path: Path) -> None:
    """Under the names of the file, which are PyTorch's; ten steps, and the loss falls."""
    model, example, _ = zoo_model(spec)
    file = sv.learnable_onnx(exported(model, example[:1], tmp_path / "net.onnx"))
    assert set(file.state_dict()) == {name for name, _ in model.named_parameters()}
    session = sv.compile(sv.plan(file, file.example, device=WIDE, optimizer=sv.SGD(lr=0.01, momentum=0.9)))
    draw = torch.Generator().manual_seed(0)
    x, y = torch.randn(example[:1].shape, generator=draw), torch.tensor([3])
    assert_gradients(native_gradients(session, x, y), model, x, y)
    losses = [session.step(x.numpy(), y.numpy(), lr=1e-3) for _ in range(10)]
    assert losses[-1] < losses[0]
    model.load_state_dict(session.state_dict(), strict=False)
    with torch.no_grad():
        np.testing.assert_allclose(session.predict(x.numpy()), model(x), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", MODELS)
def test_a_module_and_what_it_exports_learn_alike(name: str, tmp_path: Path) -> None:
    """In batches, which the file leaves open."""
    made, shape = MODELS[name]
    torch.manual_seed(0)
    model = random_norms(made()).eval()
    file = sv.learnable_onnx(exported(model, torch.zeros(1, *shape), tmp_path / "net.onnx"), batch=4)
    assert [tuple(x.shape) for x in file.example] == [(4, *shape)]
    session = sv.compile(sv.plan(file, file.example, device=WIDE, optimizer=sv.SGD(lr=0.1, momentum=0.9)))
    x, y = torch.randn(4, *shape), torch.tensor([0, 2, 1, 1])
    assert_gradients(native_gradients(session, x, y), model, x, y)


@pytest.mark.parametrize("name", MODELS)
def test_what_we_have_written_ourselves_learns_with_all_its_biases(name: str, tmp_path: Path) -> None:
    """A convolution's bias is an Add there, and biases that begin alike are one tensor: each learns for itself. Norms
    of layers are formulas there, and stay as they are."""
    made, shape = MODELS[name]
    torch.manual_seed(0)
    model = nn.Sequential(*(m for m in made() if not isinstance(m, nn.LayerNorm))).eval()
    for module in model.modules():
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Linear):
            assert module.bias is not None
            nn.init.zeros_(module.bias)
    path = sv.save_onnx(sv.network(model, torch.zeros(1, *shape)), tmp_path / "net.onnx")
    file = sv.learnable_onnx(path)
    layers = [m for m in model.modules() if isinstance(m, nn.Conv1d | nn.Conv2d | nn.Linear)]
    assert sum(n.endswith(".bias") for n in file.state_dict()) >= len(layers)
    rule = sv.SGD(lr=0.1)
    here = sv.compile(sv.plan(file, file.example, device=WIDE, optimizer=rule))
    there = sv.compile(sv.plan(model, torch.zeros(1, *shape), device=WIDE, optimizer=rule, norms="folded"))
    draw = np.random.default_rng(0)
    for _ in range(3):
        x, y = draw.standard_normal((1, *shape)).astype(np.float32), draw.integers(0, 3, 1)
        assert here.step(x, y) == pytest.approx(there.step(x, y), rel=1e-4)
    np.testing.assert_allclose(here.predict(x), there.predict(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("op", ["Conv", "Gemm", "MatMul", "DequantizeLinear", "QuantizeLinear", "Transpose", "Softmax"])
def test_an_operator_without_its_inputs_is_one_line(op: str, tmp_path: Path) -> None:
    path = sv.save_onnx(sv.network(MODELS["linear"][0]().eval(), torch.zeros(1, 6)), tmp_path / "net.onnx")
    model = onnx.load(path)
    model.graph.node.insert(0, helper.make_node(op, [], ["nothing"]))
    onnx.save(model, path)
    with pytest.raises(InvalidInput, match=f"onnx node 0 {op} '': inputs is 0: at least"):
        sv.learnable_onnx(path)


def test_a_module_of_a_file_computes_any_number_of_samples(tmp_path: Path) -> None:
    """As one that is trained in PyTorch beside a plan does; what is planned is of the example's."""
    made, shape = MODELS["pools"]
    torch.manual_seed(0)
    model = random_norms(made()).eval()
    file = sv.learnable_onnx(exported(model, torch.zeros(1, *shape), tmp_path / "net.onnx"))
    x = torch.randn(5, *shape)
    torch.testing.assert_close(file(x), model(x), rtol=1e-4, atol=1e-5)
    assert [tuple(e.shape) for e in file.example] == [(1, *shape)]
    torch.nn.functional.cross_entropy(file(x), torch.tensor([0, 1, 2, 0, 1])).backward()
    torch.nn.functional.cross_entropy(model(x), torch.tensor([0, 1, 2, 0, 1])).backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(file.get_parameter(name).grad, parameter.grad, rtol=1e-3, atol=1e-5)
    with pytest.raises(InvalidInput, match="read it with batch=K for K samples"):
        sv.plan(file, x)


def test_a_softmax_at_the_end_is_left_out(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, logits = Attention(softmax=True).eval(), Attention(softmax=False).eval()
    logits.load_state_dict(model.state_dict())
    file = sv.learnable_onnx(exported(model, torch.zeros(1, 5, 8), tmp_path / "net.onnx"))
    session = sv.compile(sv.plan(file, file.example, device=WIDE, optimizer=sv.SGD(lr=0.1, momentum=0.9)))
    x, y = torch.randn(1, 5, 8), torch.tensor([2])
    assert_gradients(native_gradients(session, x, y), logits, x, y)


def test_a_file_to_predict_with_learns_what_it_computes(tmp_path: Path) -> None:
    """Names are gone there and norms are in the weights: layers have numbers. The last two learn."""
    model, example, _ = zoo_model("ds_cnn")
    path = exported(model, example[:1], tmp_path / "net.onnx", folded=True)
    file = sv.learnable_onnx(path)
    assert list(file.state_dict())[:2] == ["0.weight", "0.bias"]
    x = torch.randn(example[:1].shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        np.testing.assert_allclose(file(x), model(x), rtol=0, atol=1e-5)
    plan = sv.plan(file, file.example, device=WIDE, update="last:2", optimizer=sv.SGD(lr=0.01))
    own = sv.plan(model, example[:1], device=WIDE, norms="folded", update="last:2", optimizer=sv.SGD(lr=0.01))
    assert plan.arena_bytes == own.arena_bytes
    here, there = sv.compile(plan), sv.compile(own)
    losses = [(here.step(x.numpy(), [1]), there.step(x.numpy(), [1])) for _ in range(10)]
    assert losses[-1][0] < losses[0][0]
    np.testing.assert_allclose(*zip(*losses, strict=True), rtol=1e-3)


def test_a_product_that_lies_otherwise_than_pytorchs_is_not_called_weight(tmp_path: Path) -> None:
    """As a file to predict with has it: taken for PyTorch's weight, a square one would be turned."""
    model = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 3))
    torch.manual_seed(0)
    path = exported(model, torch.zeros(1, 5, 6), tmp_path / "net.onnx", folded=True)
    state = sv.learnable_onnx(path).state_dict()
    assert set(state) == {"0.matrix", "0.bias", "2.matrix", "2.bias"}
    np.testing.assert_array_equal(state["0.matrix"], model[0].weight.detach().T)


def test_the_last_layers_of_an_int8_file_learn_behind_their_int8_layers(tmp_path: Path) -> None:
    """As of a ``.tflite`` file of the same network, whose head is an oracle of its own."""
    network = quantised("ds_cnn")
    file = sv.learnable_onnx(sv.save_onnx(network, tmp_path / "net.onnx"))
    other = sv.learnable_tflite(sv.save_tflite(network, tmp_path / "net.tflite"))
    assert [tuple(p.shape) for p in file.parameters()] == [(64, 12), (12,)]
    rule = sv.SGD(lr=0.1)
    plan = sv.plan(file, file.example, device=WIDE, optimizer=rule)
    rows = [node.op for node in plan.programs.graphs["predict"].nodes()]
    assert rows.count("int8_conv2d") == 9
    here = sv.compile(plan)
    there = sv.compile(sv.plan(other, other.example, device=WIDE, optimizer=rule))
    x = np.random.default_rng(0).standard_normal(tuple(other.example[0].shape)).astype(np.float32)
    face = x.reshape(tuple(file.example[0].shape))
    losses = [(here.step(face, [3]), there.step(x, [3])) for _ in range(5)]
    assert losses[-1][0] < losses[0][0]
    np.testing.assert_allclose(*zip(*losses, strict=True), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("last", [2, 4])
def test_so_many_layers_of_an_int8_file_as_are_asked_for_are_floats(last: int, tmp_path: Path) -> None:
    path = sv.save_onnx(quantised("ds_cnn"), tmp_path / "net.onnx")
    file = sv.learnable_onnx(path, last=last)
    assert len({name.rpartition(".")[0] for name in file.state_dict()}) == last
    exact = sv.load_onnx(path, floats=True)
    x = np.random.default_rng(0).standard_normal(tuple(file.example[0].shape)).astype(np.float32)
    wanted = sv.compile(sv.plan_inference(exact, device=WIDE)).predict(x)
    step = sv.load_onnx(path).outputs["output"].quant.scale[0]
    found = file(torch.from_numpy(x)).detach().numpy()
    assert np.abs(found - wanted).max() <= 6 * step  # what rounding to int8 in between does not do


def test_what_learnt_goes_to_onnx_again(tmp_path: Path) -> None:
    """From a file of ONNX to one that ONNX Runtime trains."""
    pytest.importorskip("onnxruntime")
    torch.manual_seed(0)
    model = MODELS["pools"][0]().eval()
    file = sv.learnable_onnx(exported(model, torch.zeros(1, 3, 8, 8), tmp_path / "net.onnx"))
    plan = sv.plan(file, file.example, device=WIDE, update="last:2", optimizer=sv.SGD(lr=0.1, momentum=0.9))
    here, there = sv.compile(plan), sv.load(sv.emit(plan, "onnx", tmp_path / "there"))
    x = np.random.default_rng(0).standard_normal((1, 3, 8, 8)).astype(np.float32)
    losses = [(here.step(x, [1]), there.step(x, [1])) for _ in range(5)]
    assert losses[-1][1] < losses[0][1]
    np.testing.assert_allclose(*zip(*losses, strict=True), rtol=1e-4, atol=1e-5)


def made(nodes: list[onnx.NodeProto], constants: dict[str, np.ndarray], shape: list[int]) -> bytes:
    ports = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, s) for name, s in (("x", shape), ("y", None))]
    held = [onnx.numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "net", ports[:1], ports[1:], held)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def test_refusals_name_what_to_do(tmp_path: Path) -> None:
    path = exported(MODELS["linear"][0]().eval(), torch.zeros(1, 6), tmp_path / "net.onnx")
    with pytest.raises(InvalidInput, match="last is 3: the file has 2 layers: give 1 to 2"):
        sv.learnable_onnx(path, last=3)
    with pytest.raises(InvalidInput, match="batch is 0: give a whole number >= 1"):
        sv.learnable_onnx(path, batch=0)
    with pytest.raises(InvalidInput, match="path is of type int"):
        sv.learnable_onnx(3)  # type: ignore[arg-type]
    file = sv.learnable_onnx(path)
    with pytest.raises(InvalidInput, match=r"the file is read for \(1, 6\): read it with batch=K for K samples"):
        file(torch.zeros(2, 5))
    r = np.random.default_rng(0)
    (tmp_path / "none.onnx").write_bytes(made([helper.make_node("Relu", ["x"], ["y"])], {}, [1, 6]))
    with pytest.raises(InvalidInput, match="onnx file is without layers: nothing of it can learn"):
        sv.learnable_onnx(tmp_path / "none.onnx")
    w = r.standard_normal((3, 4, 2, 2)).astype(np.float32)
    up = made([helper.make_node("ConvTranspose", ["x", "w"], ["y"])], {"w": w}, [1, 3, 4, 4])
    (tmp_path / "up.onnx").write_bytes(up)
    with pytest.raises(NotSupported, match="ConvTranspose in a network that learns is not supported at onnx node 0"):
        sv.learnable_onnx(tmp_path / "up.onnx")
    nodes = [helper.make_node("Reshape", ["x", "shape"], ["flat"]), helper.make_node("MatMul", ["flat", "w"], ["y"])]
    held = {"shape": np.array([1, 6], np.int64), "w": r.standard_normal((6, 3)).astype(np.float32)}
    (tmp_path / "one.onnx").write_bytes(made(nodes, held, [1, 2, 3]))
    with pytest.raises(InvalidInput, match="Reshape"):
        sv.learnable_onnx(tmp_path / "one.onnx", batch=4)


def test_weights_that_a_file_shares_learn_once(tmp_path: Path) -> None:
    """The gradient is the sum over both that read them."""
    w = np.random.default_rng(0).standard_normal((3, 3)).astype(np.float32)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"]), helper.make_node("Tanh", ["a"], ["b"]),
        helper.make_node("MatMul", ["b", "w"], ["y"]),
    ]  # fmt: skip
    (tmp_path / "net.onnx").write_bytes(made(nodes, {"w": w}, [1, 3]))
    file = sv.learnable_onnx(tmp_path / "net.onnx")
    session = sv.compile(sv.plan(file, file.example, device=WIDE, optimizer=sv.SGD(lr=0.1, momentum=0.9)))
    x, y = torch.tensor([[0.5, -1.0, 2.0]]), torch.tensor([1])
    held = torch.tensor(w, requires_grad=True)
    nn.functional.cross_entropy(torch.tanh(x @ held) @ held, y).backward()
    ours = native_gradients(session, x, y)
    assert list(ours) == ["0.matrix"]
    np.testing.assert_allclose(ours["0.matrix"], held.grad, rtol=1e-5, atol=1e-6)
