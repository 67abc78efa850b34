"""Networks that predict in LiteRT and in LiteRT for Microcontrollers, and what is odd about both."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import selvedge as sv
from selvedge import ir
from selvedge.emitting.litert import header, source
from selvedge.errors import InvalidInput
from selvedge.formats import tflite
from selvedge.run.foreign.litert_micro import Micro
from selvedge.run.foreign.session import ForeignSession
from tests.formats.tflite.litert import Reference
from tests.formats.tflite.test_write import quantised
from tests.oracle import WIDE, zoo_model

interpreter = pytest.importorskip("ai_edge_litert.interpreter")
pytest.importorskip("tflite_micro")

FAMILIES: tuple[str, ...] = (  # one of those whose layers are alike; all: `make matrix`
    "resnet8", "ds_cnn", "deep_autoencoder", "mobilenet_v2?width=0.25&resolution=32&classes=10",
    "mobilenet_v3_small?resolution=32&width=0.25&classes=4", "shufflenet_v2_x0_5?resolution=32&classes=4", "har_fcn",
    "audio_m5", "text_cnn",
)  # fmt: skip
if os.environ.get("SELVEDGE_ALL"):
    FAMILIES = (
        *FAMILIES, "mobilenet_v1_025", "mobilenet_v2?width=0.35&resolution=96", "mobilenet_v3_small?resolution=64",
        "efficientnet_lite0?resolution=32", "mbv2_w035?classes=10",
    )  # fmt: skip
TARGETS = ("litert", "litert-micro")


def file_of(folder: Path) -> bytes:
    (file,) = folder.glob("*.tflite")
    return file.read_bytes()


def faced(x: np.ndarray) -> np.ndarray:
    """As PyTorch has it: a session takes that."""
    return np.ascontiguousarray(x.transpose(0, 3, 1, 2))


@pytest.mark.parametrize("spec", FAMILIES)
def test_a_float_network_is_pytorchs(spec: str, tmp_path: Path) -> None:
    """Within 1e-5 of its largest number: one of every sort of family, in both."""
    model, example, _ = zoo_model(spec)
    plan = sv.plan_inference(model, example, name="net", device=WIDE)
    wanted = model(example).detach().numpy()
    x = example.numpy() if example.is_floating_point() else example.numpy().astype(np.int32)
    for target in TARGETS:
        session = sv.load(sv.emit(plan, target, tmp_path / target))
        np.testing.assert_allclose(session.predict(x), wanted, rtol=0, atol=1e-5 * np.abs(wanted).max(), err_msg=target)


@pytest.mark.parametrize("spec", ["resnet8", "ds_cnn", "mobilenet_v3_small?resolution=32&width=0.25&classes=4"])
def test_an_int8_network_is_our_own(spec: str, tmp_path: Path) -> None:
    """Bit by bit by the reference kernels; in sessions of both within what the quicker kernels differ from them."""
    network = quantised(spec)
    plan = sv.plan_inference(network, device=WIDE)
    xs = np.random.default_rng(0).integers(-128, 128, (4, *network.inputs["x"].shape)).astype(np.int8)
    wanted = np.stack([ir.interpret(network.graph, {"x": x}, {})["output"] for x in xs]).astype(int)
    folders = {target: sv.emit(plan, target, tmp_path / target) for target in TARGETS}
    made = tflite.parse(file_of(folders["litert"]))
    reference = Reference(file_of(folders["litert"]))
    exact = np.stack([reference.run([x], list(made.outputs))[made.outputs[0]] for x in xs])
    np.testing.assert_array_equal(exact, wanted)
    for target, folder in folders.items():
        session = sv.load(folder)
        found = np.stack([session.predict(faced(x)) for x in xs]).astype(int)
        assert np.abs(found - wanted).max() <= 3, target


def test_both_need_neither_torch_nor_tensorflow(tmp_path: Path) -> None:
    plan = sv.plan_inference(quantised("ds_cnn"), device=WIDE)
    for target in TARGETS:
        folder = sv.emit(plan, target, tmp_path / target)
        code = (
            "import sys, numpy as np, selvedge as sv\n"
            f"session = sv.load({str(folder)!r})\n"
            "print(session.predict(np.zeros((1, 1, 49, 10), np.int8)).dtype)\n"
            "assert not {'torch', 'tensorflow', 'selvedge.ir'} & set(sys.modules)"
        )
        made = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
        assert made.stdout == "int8\n"


# -- LiteRT for Microcontrollers ------------------------------------------------------------------------------------


def test_its_allocators_arena_is_told_beside_our_plans(tmp_path: Path) -> None:
    """What it has taken once it ran; it fits in as many bytes of arena and not in half."""
    plan = sv.plan_inference(quantised("ds_cnn"), device=WIDE)
    folder = sv.emit(plan, "litert-micro", tmp_path / "net")
    session = sv.load(folder)
    session.predict(np.zeros((1, 1, 49, 10), np.int8))
    assert isinstance(session, ForeignSession)
    taken = Micro("net.tflite", file_of(folder), ("x",), ("output",)).arena_bytes
    assert plan.arena_bytes < taken < 4 * plan.arena_bytes
    from tflite_micro import runtime

    assert runtime.Interpreter.from_bytes(file_of(folder), arena_size=2 * taken)
    with pytest.raises(RuntimeError):
        runtime.Interpreter.from_bytes(file_of(folder), arena_size=taken // 2)


def test_an_operator_that_it_lacks_is_named_by_its_own_error(tmp_path: Path) -> None:
    folder = sv.emit(
        sv.plan_inference(nn.Sequential(nn.Flatten(), nn.GELU()), torch.zeros(1, 4), device=WIDE, name="net"),
        "litert-micro", tmp_path / "net",
    )  # fmt: skip
    with pytest.raises(InvalidInput, match=r"LiteRT for Microcontrollers refuses it: .*GELU") as raised:
        sv.load(folder)
    assert "\n" not in str(raised.value)


def test_the_c_array_is_the_file_constant_and_aligned(tmp_path: Path) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    plan = sv.plan_inference(
        quantised("ds_cnn"),
        device=WIDE,
    )
    folder = sv.emit(plan, "litert-micro", tmp_path / "out")
    name = plan.name
    (tmp_path / "main.c").write_text(
        f'#include "{name}_model.h"\n#include <stdint.h>\n#include <stdio.h>\n'
        f"int main(void) {{ if ((uintptr_t){name}_model % 16) return 1;\n"
        f"fwrite({name}_model, 1, sizeof {name}_model, stdout); return 0; }}\n"
    )
    call = [compiler, "-std=c99", "-Wall", "-Wextra", "-Werror", f"-I{folder}", "-o", "main", "main.c"]
    subprocess.run([*call, str(folder / f"{name}_model.c")], check=True, cwd=tmp_path)
    assert subprocess.run([tmp_path / "main"], check=True, capture_output=True).stdout == file_of(folder)
    assert "const unsigned char" in header(name, 4)
    assert source("net", bytes(range(30))).count("\n") == 6


def test_what_learns_is_refused_there(tmp_path: Path) -> None:
    model, example, _ = zoo_model("ds_cnn")
    plan = sv.plan(model, example, device=WIDE, update="last:1")
    with pytest.raises(InvalidInput, match=r"target is litert-micro: it cannot train yet: choose one of c, .*litert"):
        sv.emit(plan, "litert-micro", tmp_path / "net")
    assert not list(tmp_path.iterdir())


# -- traps ----------------------------------------------------------------------------------------------------------


def kernels(model: bytes, x: np.ndarray, which: str) -> np.ndarray:
    made = interpreter.Interpreter(
        model_content=model, experimental_op_resolver_type=interpreter.OpResolverType[which], num_threads=1
    )
    made.allocate_tensors()
    made.set_tensor(made.get_input_details()[0]["index"], x)
    made.invoke()
    return np.array(made.get_tensor(made.get_output_details()[0]["index"]), int)


def test_trap_xnnpacks_int8_is_not_the_references_and_a_session_does_not_use_it(tmp_path: Path) -> None:
    """LiteRT's default kernels differ from its own reference more often than those that a session asks for."""
    network = quantised("resnet8")
    folder = sv.emit(sv.plan_inference(network, device=WIDE), "litert", tmp_path / "net")
    session = sv.load(folder)
    xs = np.random.default_rng(0).integers(-128, 128, (16, *network.inputs["x"].shape)).astype(np.int8)
    exact, quick = (np.stack([kernels(file_of(folder), x, n) for x in xs]) for n in ("BUILTIN_REF", "BUILTIN"))
    ours = np.stack([session.predict(faced(x)) for x in xs]).astype(int)
    assert (quick != exact).mean() > (ours != exact).mean()
    np.testing.assert_array_equal(ours, np.stack(
        [kernels(file_of(folder), x, "BUILTIN_WITHOUT_DEFAULT_DELEGATES") for x in xs]
    ))  # fmt: skip


def test_trap_scales_of_int8_inputs_are_in_the_file_and_floats_are_quantised_by_them(tmp_path: Path) -> None:
    """A file of int8 from end to end takes int8: what its numbers stand for is said in the network, and in the file
    alone. With ``floats`` the same network takes real numbers and quantises them itself, to the same result."""
    net, example, _ = zoo_model("resnet8")
    quantised_net = sv.quantise(net, torch.randn(32, 3, 32, 32), wanted_agreement=0.0)
    plain = sv.network(quantised_net, example, floats=False)
    real = sv.network(quantised_net, example, floats=True)
    folders = [
        sv.emit(sv.plan_inference(n, device=WIDE), "litert", tmp_path / str(i)) for i, n in enumerate((plain, real))
    ]
    details = interpreter.Interpreter(model_content=file_of(folders[0])).get_input_details()[0]
    quant = plain.inputs["x"].quant
    assert details["dtype"] is np.int8
    assert details["quantization"] == (quant.scale[0], quant.zero_point[0])
    x = torch.randn(1, 3, 32, 32).numpy()
    codes = np.clip(np.round(x / np.float32(quant.scale[0])) + quant.zero_point[0], -128, 127).astype(np.int8)
    answer, given = plain.outputs["output"].quant, sv.load(folders[0]).predict(codes).astype(np.float32)
    wanted = (given - answer.zero_point[0]) * np.float32(answer.scale[0])
    np.testing.assert_allclose(sv.load(folders[1]).predict(x), wanted, rtol=1e-6)
    with pytest.raises(InvalidInput, match="of dtype float32"):
        sv.load(folders[0]).predict(x)


def test_trap_a_convolution_without_a_bias_is_refused_by_litert_and_is_given_zeros() -> None:
    x, weight = ir.input_leaf("x", ir.Spec((1, 4, 4, 2))), ir.constant(np.ones((1, 1, 2, 3), np.float32))
    attrs = {"stride": (1, 1), "padding": ((0, 0), (0, 0)), "dilation": (1, 1), "groups": 1}
    made = tflite.model(ir.Graph({"x": x}, {}, {"y": ir.apply("conv2d", x, weight, **attrs)}))
    (operator,) = made.operators
    bare = tflite.Operator(operator.name, operator.version, operator.inputs[:2], operator.outputs, operator.options)
    with pytest.raises(RuntimeError, match="has_bias was not true"):
        Reference(tflite.written(tflite.Model(made.tensors, (bare,), made.inputs, made.outputs)))
    assert operator.inputs[2] is not None
    Reference(tflite.written(made))


def test_trap_variables_restored_first_are_not_begun_again(tmp_path: Path) -> None:
    """CALL_ONCE runs at the first call of any signature: at ``restore`` too, before it writes."""
    model, example, _ = zoo_model("ds_cnn")
    folder = sv.emit(sv.plan(model, example, device=WIDE, name="net", update="last:1"), "litert", tmp_path / "net")
    made = interpreter.Interpreter(model_content=file_of(folder))
    restore, save = (made.get_signature_runner(name) for name in ("restore", "save"))
    state = {name: np.full(d["shape"], 7, d["dtype"]) for name, d in restore.get_input_details().items()}
    restore(**state)
    made.get_signature_runner("infer")(x=np.zeros((1, 49, 10, 1), np.float32))
    for name, array in save().items():
        np.testing.assert_array_equal(array, state[name])


def test_a_file_that_litert_for_microcontrollers_does_not_take_is_one_line(tmp_path: Path) -> None:
    folder = sv.emit(sv.plan_inference(quantised("ds_cnn"), device=WIDE), "litert-micro", tmp_path / "net")
    (file,) = folder.glob("*.tflite")
    data = bytearray(file.read_bytes())
    data[4:8] = b"NONE"
    file.write_bytes(data)
    said = json.loads((folder / "manifest.json").read_text())
    said["files"][file.name] = hashlib.sha256(data).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(said))
    with pytest.raises(InvalidInput, match=r"\.tflite: it is no \.tflite file") as raised:
        sv.load(folder)
    assert "\n" not in str(raised.value)
