"""Others at the same layer: torch's CSR product, its dense one, and ONNX Runtime's dense one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from benchmarks.peers.contestant import Missing

from .shapes import Shape

Make = Callable[[Shape, np.ndarray], Callable[[], object]]


def _image(shape: Shape, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(x [1, inputs, h, w], weights [outputs, inputs, size, size]) of a convolution of several taps."""
    x = np.random.default_rng(7).random((1, shape.c, shape.h, shape.w), np.float32)
    return x, np.ascontiguousarray(weights.transpose(3, 2, 0, 1))


def _matrix(shape: Shape, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(pixels [rows, inputs], weights [outputs, inputs]) of a linear or pointwise layer."""
    if shape.size > 1:
        raise ValueError("a product of matrices is no convolution of several taps")
    x = np.random.default_rng(7).random((shape.h * shape.w, shape.c), np.float32)
    return x, np.ascontiguousarray(weights.reshape(shape.c, shape.k).T)


def torch_csr(shape: Shape, weights: np.ndarray) -> Callable[[], object]:
    """W (sparse CSR) @ x' - the order for which torch has a kernel."""
    import torch

    torch.set_num_threads(1)
    x, w = _matrix(shape, weights)
    sparse, columns = torch.from_numpy(w).to_sparse_csr(), torch.from_numpy(np.ascontiguousarray(x.T))
    made: torch.Tensor = sparse @ columns
    np.testing.assert_allclose(made.numpy(), w @ x.T, rtol=1e-3, atol=1e-3)
    return lambda: sparse @ columns


def torch_dense(shape: Shape, weights: np.ndarray) -> Callable[[], object]:
    import torch

    torch.set_num_threads(1)
    if shape.size > 1:
        image, taps = map(torch.from_numpy, _image(shape, weights))
        return lambda: torch.nn.functional.conv2d(image, taps, stride=shape.stride, padding=shape.size // 2)
    x, w = map(torch.from_numpy, _matrix(shape, weights))
    return lambda: torch.nn.functional.linear(x, w)


def onnxruntime_dense(shape: Shape, weights: np.ndarray) -> Callable[[], object]:
    """Zeros or not: it has no sparse kernel for a CPU."""
    try:
        import onnxruntime
        from onnx import TensorProto, helper, numpy_helper
    except ImportError as error:
        raise Missing(f"no package {error.name}") from None
    want: Any = torch_dense(shape, weights)()  # the shape of the result, and what it has to be
    if shape.size > 1:
        x, held = _image(shape, weights)
        node = helper.make_node(
            "Conv", ["x", "w"], ["y"], strides=[shape.stride] * 2, pads=[shape.size // 2] * 4,
            kernel_shape=[shape.size] * 2,
        )  # fmt: skip
    else:
        x, w = _matrix(shape, weights)
        node, held = helper.make_node("MatMul", ["x", "w"], ["y"]), np.ascontiguousarray(w.T)
    shapes = {"x": x.shape, "y": tuple(want.shape)}
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items()]
    graph = helper.make_graph([node], "layer", ports[:1], ports[1:], [numpy_helper.from_array(held, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    binding: Any = session.io_binding()
    binding.bind_cpu_input("x", x)
    binding.bind_output("y")
    session.run_with_iobinding(binding)
    np.testing.assert_allclose(binding.copy_outputs_to_cpu()[0], want.numpy(), rtol=1e-3, atol=1e-3)
    return lambda: session.run_with_iobinding(binding)


def xnnpack_sparse(shape: Shape, weights: np.ndarray) -> Callable[[], object]:
    """XNNPACK's SpMM is reached through TensorFlow Lite's delegate, for whole networks whose activations it lays out by
    channels, with a flag that no Python package here passes on."""
    raise Missing("ai-edge-litert passes no flag for XNNPACK's sparse inference")


LAYERS: Mapping[str, Make] = {
    "torch CSR, 90 %": torch_csr,
    "torch dense": torch_dense,
    "ONNX Runtime dense": onnxruntime_dense,
    "XNNPACK sparse, 90 %": xnnpack_sparse,
}
