"""The published int8 weights of the MCUNet networks, dequantised into a module: NAME.json beside NAME.npz.

The JSON holds the architecture, scales and zero points, and names an array of the npz where one belongs; norms are
folded. A weight is ``w_scales[o] * w[o,i,kh,kw]`` (symmetric, per output channel), a bias
``x_scale * w_scales[o] * b[o]`` (Jacob et al., arXiv:1712.05877, sections 2.2 and 2.4). Zero points of activations
do not enter: in real numbers padding is zero and an activation is itself.
"""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from selvedge.errors import InvalidInput

MOST_DESCRIPTION = 4 << 20
# What an .npy entry is larger than its array by, at most: its header (numpy's format 1.0 says below 64 KiB).
HEADER = 1 << 16
PARTS = {"pointwise1": "inverted_bottleneck", "depthwise": "depth_conv", "pointwise2": "point_linear"}


def load(module: nn.Module, description: Path) -> None:
    """Give ``module`` (made with ``norm=none`` and the file's classes) the dequantised weights, in place; all or none.

    description: the JSON file. Nothing is unpickled; every array has the dtype, shape and bytes that the JSON and the
    module say before it is read. Raises :class:`InvalidInput`.
    """
    if any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in module.modules()):
        raise InvalidInput("norm", "batch", "make the model with norm=none: the norms of int8 weights are folded")
    own = module.state_dict()
    found: dict[str, torch.Tensor] = {}
    try:
        described = _json(description)
        with zipfile.ZipFile(description.with_suffix(".npz")) as arrays:
            for name, layer in _layers(described):
                weight, bias = f"{name}.weight", f"{name}.bias"
                if weight not in own or bias not in own:
                    raise InvalidInput("int8 layer", name, "the module has no such layer: make the file's own network")
                found |= _dequantised(arrays, layer, name, own[weight], own[bias])
    except (OSError, zipfile.BadZipFile) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise InvalidInput("int8 weights", str(description), f"NAME.json and NAME.npz are needed ({why})") from None
    missing = next((name for name in own if name not in found), None)
    if missing is not None:
        raise InvalidInput("int8 weights", str(description), f"they hold no {missing}: make the file's own network")
    module.load_state_dict(found, strict=True)


def _json(path: Path) -> dict[str, Any]:
    if path.stat().st_size > MOST_DESCRIPTION:
        raise InvalidInput("int8 description", str(path), f"it is larger than {MOST_DESCRIPTION} B")
    try:
        described = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise InvalidInput("int8 description", str(path), "it is no JSON") from None
    if not isinstance(described, dict):
        raise InvalidInput("int8 description", str(path), "it must be an object of layers")
    return described


def _layers(described: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The layers with weights, under the names of :mod:`selvedge.zoo.mcunet`."""
    if described.get("feature_mix") is not None:
        raise InvalidInput("int8 layer", "feature_mix", "networks with a head convolution are not known")
    yield "first_conv.conv", described.get("first_conv")
    blocks = described.get("blocks")
    if not isinstance(blocks, list) or not all(isinstance(b, dict) for b in blocks):
        raise InvalidInput("int8 layer", "blocks", "it must be a list of objects")
    for i, block in enumerate(blocks):
        if block.get("se") is not None:
            raise InvalidInput("int8 layer", f"blocks.{i}.se", "squeeze-and-excitation is not known")
        for key, part in PARTS.items():
            if block.get(key) is not None:
                yield f"blocks.{i}.mobile_inverted_conv.{part}.conv", block[key]
    yield "classifier.linear", described.get("classifier")


def _dequantised(
    arrays: zipfile.ZipFile, layer: Any, name: str, weight: torch.Tensor, bias: torch.Tensor
) -> dict[str, torch.Tensor]:
    """The layer's weight and bias in the shapes and dtypes of the module's."""
    params = layer.get("params") if isinstance(layer, dict) else None
    if not isinstance(params, dict):
        raise InvalidInput(f"int8 layer {name}", "without params", "it must hold weight, bias and scales")
    x_scale = params.get("x_scale")
    if not isinstance(x_scale, float) or not (math.isfinite(x_scale) and x_scale > 0):
        raise InvalidInput(f"int8 layer {name} x_scale", repr(x_scale), "it must be a positive number")
    outputs = bias.shape[0]
    # A linear layer is written as a convolution of one pixel.
    four = tuple(weight.shape) if weight.dim() == 4 else (*weight.shape, 1, 1)
    scales = _array(arrays, params, name, "w_scales", "float32", (outputs,)).astype(np.float64)
    if not (np.isfinite(scales).all() and (scales > 0).all()):
        raise InvalidInput(f"int8 layer {name} w_scales", "not positive", "every scale must be a positive number")
    w = _array(arrays, params, name, "weight", "int8", four) * scales[:, None, None, None]
    b = _array(arrays, params, name, "bias", "int32", (outputs,)) * (x_scale * scales)
    return {
        f"{name}.weight": torch.from_numpy(w).reshape(weight.shape).to(weight.dtype),
        f"{name}.bias": torch.from_numpy(b).to(bias.dtype),
    }


def _array(
    arrays: zipfile.ZipFile, params: Mapping[str, Any], name: str, key: str, dtype: str, shape: tuple[int, ...]
) -> np.ndarray:
    """The array that ``params[key]`` names, which must be of ``dtype`` and ``shape``."""
    field = f"int8 layer {name} {key}"
    named = params.get(key)
    if not isinstance(named, dict) or not isinstance(named.get("array"), str):
        raise InvalidInput(field, repr(named), "it must name an array")
    if named.get("dtype") != dtype or named.get("shape") != list(shape):
        told = f"{named.get('dtype')} {named.get('shape')}"
        raise InvalidInput(field, told, f"the module needs {dtype} {list(shape)}: make the file's own network")
    try:
        entry = arrays.getinfo(f"{named['array']}.npy")
    except KeyError:
        raise InvalidInput(field, named["array"], "the npz holds no such array") from None
    if entry.file_size > math.prod(shape) * np.dtype(dtype).itemsize + HEADER:
        raise InvalidInput(field, f"{entry.file_size} B", f"an array {dtype} {list(shape)} is smaller")
    try:
        with arrays.open(entry) as file:
            array = np.lib.format.read_array(file, allow_pickle=False)
    except (ValueError, EOFError, NotImplementedError) as error:
        raise InvalidInput(field, named["array"], f"it cannot be read ({str(error).splitlines()[0]})") from None
    if array.dtype != np.dtype(dtype) or array.shape != shape:
        raise InvalidInput(field, f"{array.dtype} {list(array.shape)}", f"its file must hold {dtype} {list(shape)}")
    return np.asarray(array)
