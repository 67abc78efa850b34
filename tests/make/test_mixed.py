"""A frozen int8 prefix and a float tail that learns, in one step: gradients are PyTorch's on the dequantised values."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from selvedge import ir
from selvedge.artifact.layout import Layout
from selvedge.artifact.schedule import Constant
from selvedge.capture import gradients
from selvedge.device import Device
from selvedge.emitting.c import Description, bundle
from selvedge.ir import Quant
from selvedge.make.measure import measure
from selvedge.planning.arrange import arrange
from selvedge.planning.check import check
from selvedge.run.build import build
from selvedge.run.library import OK, Library, aligned

W, H = Quant((0.0078125,)), Quant((0.0625,), (-128,))


def test_an_int8_prefix_and_a_float_tail_learn_in_one_step(tmp_path: Path) -> None:
    r = np.random.default_rng(0)
    qx = Quant((float(np.float32(0.05)),), (-3,))
    kernel = r.integers(-127, 128, (3, 3, 2, 8)).astype(np.int8)
    head = r.normal(0, 0.3, (8 * 16, 3)).astype(np.float32)
    x = ir.input_leaf("x", ir.Spec((4, 4, 4, 2)))
    y = ir.input_leaf("y", ir.Spec((4,), "int32"))
    rate = ir.input_leaf("lr", ir.Spec(()))
    weight = ir.state_leaf("head", ir.Spec(head.shape), "parameter", Layout.of(head.shape))
    codes = ir.apply("quantise", x, quant=qx)
    attrs = {"stride": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1), "groups": 1}
    made = ir.apply(
        "int8_conv2d", codes, ir.constant(kernel, quant=W), **attrs, quants=(qx, W), quant=H, activation="relu"
    )
    real = ir.apply("dequantise", made, quants=(H,), dtype="float32")
    logits = ir.apply("matmul", ir.reshape(real, (4, 128)), weight, trans_a=False, trans_b=False)
    loss = ir.apply("cross_entropy", logits, y, label_smoothing=0.0)
    (gradient,) = gradients(loss, [weight]).values()
    updated = ir.apply("sub", weight, ir.apply("mul", gradient, rate))
    graph = ir.Graph(
        {"x": x, "y": y, "lr": rate},
        {"head": weight},
        {"loss": loss, "output": logits, "hidden": real, "head": updated},
    )
    ir.verify(graph)
    plan = arrange({"step": graph}, Device(ram="64KiB", flash="64KiB", vector_bytes=32))
    check(plan)
    about = Description("mixed", {}, {"head": Layout.of(head.shape)}, ("head",), Constant(0.1), "CrossEntropy", {},
                        classes=3)  # fmt: skip
    own = bundle(plan, {"head": head}, about)
    library = build(own.sources, plan.lanes, cache=tmp_path)
    weights, arena = aligned(len(own.weights)), aligned(plan.memory.arena)
    weights[:] = np.frombuffer(own.weights, np.uint8)
    code = Library(library, "mixed", plan.programs, arena, weights)
    code.init()
    ports = own.manifest.programs["step"]

    def view(port: object) -> np.ndarray:
        at, size, dtype, shape = port.offset, port.bytes, port.dtype, port.shape  # type: ignore[attr-defined]
        return arena[at : at + size].view(dtype).reshape(shape)

    given = {"x": r.normal(0, 3, (4, 4, 4, 2)).astype(np.float32), "y": np.array([0, 2, 1, 2]), "lr": np.float32(0.1)}
    for name, array in given.items():
        view(ports.inputs[name])[...] = array
    assert code.call("step") == OK
    hidden = view(ports.outputs["hidden"]).copy()
    np.testing.assert_array_equal(hidden, ir.interpret(graph, given, {"head": head})["hidden"])
    assert len(np.unique(hidden)) > 50
    tail = torch.from_numpy(head).double().requires_grad_()
    expected = F.cross_entropy(torch.from_numpy(hidden).double().reshape(4, 128) @ tail, torch.tensor([0, 2, 1, 2]))
    expected.backward()
    assert tail.grad is not None
    np.testing.assert_allclose(view(ports.outputs["loss"]), expected.item(), rtol=1e-5)
    step = (head - view(own.manifest.state["head"])) / 0.1
    np.testing.assert_allclose(step, tail.grad.numpy(), rtol=1e-3, atol=1e-5)
    used = measure(plan, own, tmp_path)
    assert (used.arena, used.faults) == (plan.memory.arena, ())
