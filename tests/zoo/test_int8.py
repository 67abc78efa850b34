"""The published int8 weights, dequantised: they compute what the integers compute; a bad file is refused, whole."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_sample_images
from torch import nn
from torch.nn import functional

from selvedge import zoo
from selvedge.errors import InvalidInput
from selvedge.zoo import int8
from selvedge.zoo.mcunet import BODIES, MCUNet
from tests.data.folders import shared
from tests.zoo.integer_network import IntegerNetwork

NETWORKS = [("mcunet_5fps", "mcunet-5fps"), ("proxyless_w03", "proxyless-w0.3"), ("mbv2_w035", "mbv2-w0.35")]


@pytest.mark.parametrize(("name", "file"), NETWORKS)
def test_the_dequantised_network_computes_what_the_integers_do(name: str, file: str) -> None:
    """On two photographs. A residual, an activation or a padding out of place halves the correlation and more."""
    description = shared("mcunet_int8") / f"{file}.json"
    module, _, _ = zoo.make(f"{name}?norm=none")
    int8.load(module, description)
    photos = [torch.from_numpy(np.array(image)).permute(2, 0, 1)[None, :, :, 106:533] for image in
              load_sample_images().images]  # fmt: skip
    x = functional.interpolate(torch.cat(photos).float() / 127.5 - 1, (128, 128), mode="bilinear", antialias=True)
    with torch.no_grad():
        ours, integers = module.eval()(x), IntegerNetwork(description)(x)
    for real, whole in zip(ours, integers, strict=True):
        assert np.corrcoef(real, whole)[0, 1] > 0.995
        assert set(real.topk(2).indices.tolist()) & set(whole.topk(2).indices.tolist())


@pytest.mark.parametrize(("name", "file"), NETWORKS)
def test_the_bodies_are_those_of_the_published_files(name: str, file: str) -> None:
    described = json.loads((shared("mcunet_int8") / f"{file}.json").read_text())
    rows = tuple(
        (
            block["pointwise1"]["out_channel"] if block["pointwise1"] else 0,
            block["pointwise2"]["out_channel"],
            block["depthwise"]["kernel_size"][0],
            block["depthwise"]["stride"],
        )
        for block in described["blocks"]
    )
    assert BODIES[file] == rows
    residuals = [block["residual"] is not None for block in described["blocks"]]
    assert [block.residual for block in zoo.make(name)[0].blocks] == residuals


# A small network of the same format.

BODY = ((0, 4, 3, 1), (6, 4, 3, 1), (6, 5, 5, 2))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> MCUNet:
    monkeypatch.setitem(BODIES, "small", BODY)
    return MCUNet("small", classes=3, norm="none").eval()


def layer(arrays: dict[str, np.ndarray], name: str, shape: tuple[int, ...], rng: np.random.Generator) -> dict[str, Any]:
    made = {
        "weight": rng.integers(-127, 128, shape).astype(np.int8),
        "bias": rng.integers(-5000, 5000, shape[0]).astype(np.int32),
        "w_scales": rng.uniform(1e-3, 1e-2, shape[0]).astype(np.float32),
    }
    params: dict[str, Any] = {"x_scale": float(rng.uniform(0.01, 0.1)), "x_zero": -3, "y_scale": 0.02, "y_zero": -128}
    for key, array in made.items():
        arrays[f"{name}.params.{key}"] = array
        params[key] = {"array": f"{name}.params.{key}", "shape": list(array.shape), "dtype": array.dtype.name}
    return {"params": params}


def described() -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The description of ``BODY`` and its arrays."""
    rng, arrays = np.random.default_rng(0), dict[str, np.ndarray]()
    network: dict[str, Any] = {"first_conv": layer(arrays, "first_conv", (16, 3, 3, 3), rng), "blocks": []}
    inputs = 16
    for i, (expanded, outputs, kernel, _) in enumerate(BODY):
        wide = expanded or inputs
        block: dict[str, Any] = {"pointwise1": None, "residual": None, "se": None}
        if expanded:
            block["pointwise1"] = layer(arrays, f"blocks.{i}.pointwise1", (wide, inputs, 1, 1), rng)
        block["depthwise"] = layer(arrays, f"blocks.{i}.depthwise", (wide, 1, kernel, kernel), rng)
        block["pointwise2"] = layer(arrays, f"blocks.{i}.pointwise2", (outputs, wide, 1, 1), rng)
        network["blocks"].append(block)
        inputs = outputs
    classifier = layer(arrays, "classifier", (3, inputs, 1, 1), rng)
    return {**network, "feature_mix": None, "classifier": classifier}, arrays


def written(folder: Path, network: object, arrays: dict[str, np.ndarray]) -> Path:
    np.savez(folder / "small.npz", **arrays)
    (folder / "small.json").write_text(json.dumps(network))
    return folder / "small.json"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_value_is_the_product_of_its_scale(small: MCUNet, tmp_path: Path, dtype: torch.dtype) -> None:
    network, arrays = described()
    small.to(dtype)
    int8.load(small, written(tmp_path, network, arrays))
    state = small.state_dict()
    names = {"first_conv": "first_conv.conv", "classifier": "classifier.linear"}
    parts = {"pointwise1": "inverted_bottleneck", "depthwise": "depth_conv", "pointwise2": "point_linear"}
    layers = {"first_conv": network["first_conv"], "classifier": network["classifier"]}
    for i, block in enumerate(network["blocks"]):
        for key, part in parts.items():
            if block[key] is not None:
                layers[f"blocks.{i}.{key}"] = block[key]
                names[f"blocks.{i}.{key}"] = f"blocks.{i}.mobile_inverted_conv.{part}.conv"
    assert len(state) == 2 * len(layers)
    for key, described_layer in layers.items():
        scales = arrays[f"{key}.params.w_scales"].astype(np.float64)
        weight = arrays[f"{key}.params.weight"].reshape(len(scales), -1) * scales[:, None]
        bias = arrays[f"{key}.params.bias"] * scales * described_layer["params"]["x_scale"]
        found = {part: state[f"{names[key]}.{part}"] for part in ("weight", "bias")}
        for part, expected in (("weight", weight), ("bias", bias)):
            assert found[part].dtype == dtype
            rounding = torch.finfo(dtype).eps
            np.testing.assert_allclose(found[part].reshape(expected.shape).numpy(), expected, rtol=2 * rounding)


Change = Callable[[dict[str, Any], dict[str, np.ndarray]], object]


def at(*path: Any, to: Any) -> Change:
    """Set what lies at ``path`` of the description."""

    def change(network: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        for key in path[:-1]:
            network = network[key]
        network[path[-1]] = to

    return change


def array(name: str, to: np.ndarray) -> Change:
    return lambda network, arrays: arrays.update({name: to})


FIRST = ("first_conv", "params")
WEIGHT = "first_conv.params.weight"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (at("feature_mix", to={}), ["feature_mix", "head convolution"]),
        (at("blocks", to={}), ["blocks", "list"]),
        (at("blocks", 1, to=7), ["blocks", "list of objects"]),
        (at("blocks", 1, "se", to={}), ["blocks.1.se", "not known"]),
        (at("blocks", 2, to={"pointwise1": None}), ["hold no", "blocks.2"]),
        (at("first_conv", to=None), ["first_conv.conv", "without params"]),
        (at("classifier", to={"params": 3}), ["classifier.linear", "without params"]),
        (at(*FIRST, "x_scale", to=0.0), ["x_scale", "positive"]),
        (at(*FIRST, "x_scale", to=float("inf")), ["x_scale", "positive"]),
        (at(*FIRST, "x_scale", to="1"), ["x_scale", "positive"]),
        (at(*FIRST, "weight", to=None), ["first_conv.conv weight", "name an array"]),
        (at(*FIRST, "weight", "array", to=["x"]), ["weight", "name an array"]),
        (at(*FIRST, "weight", "array", to="../other"), ["../other", "no such array"]),
        (at(*FIRST, "weight", "shape", to=[16, 3, 5, 5]), ["int8 [16, 3, 5, 5]", "needs int8 [16, 3, 3, 3]"]),
        (at(*FIRST, "bias", "dtype", to="float32"), ["bias", "needs int32 [16]"]),
        (array(WEIGHT, np.zeros((16, 3, 3, 3), np.float32)), ["weight", "its file must hold int8"]),
        (array(WEIGHT, np.zeros((16, 3, 3, 4), np.int8)), ["[16, 3, 3, 4]", "its file must hold int8 [16, 3, 3, 3]"]),
        (array(WEIGHT, np.zeros((16, 3, 300, 300), np.int8)), ["weight", "B", "is smaller"]),
        (array(WEIGHT, np.array([{}], dtype=object)), ["weight", "cannot be read"]),
        (array("first_conv.params.w_scales", np.zeros(16, np.float32)), ["w_scales", "not positive"]),
        (array("first_conv.params.w_scales", np.full(16, np.nan, np.float32)), ["w_scales", "not positive"]),
    ],
)
def test_a_bad_description_or_array_is_refused_and_nothing_changes(
    small: MCUNet, tmp_path: Path, change: Change, told: list[str]
) -> None:
    network, arrays = described()
    change(network, arrays)
    assert_refused(small, written(tmp_path, network, arrays), told)


def assert_refused(module: nn.Module, path: Path, told: list[str]) -> None:
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    with pytest.raises(InvalidInput) as refused:
        int8.load(module, path)
    message = str(refused.value)
    assert "\n" not in message
    for words in told:
        assert words in message
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())


def test_bad_files_are_refused(small: MCUNet, tmp_path: Path) -> None:
    network, arrays = described()
    path = written(tmp_path, network, arrays)
    text, archive = path.read_bytes(), path.with_suffix(".npz").read_bytes()
    for broken, told in ((b"{", "no JSON"), (b"[]", "object"), (b"\xff", "no JSON"), (b"[" * 100_000, "no JSON")):
        path.write_bytes(broken)
        assert_refused(small, path, [told])
    path.write_bytes(b" " * (int8.MOST_DESCRIPTION + 1))
    assert_refused(small, path, ["larger than"])
    path.write_bytes(text)
    path.with_suffix(".npz").write_bytes(archive[: len(archive) // 2])
    assert_refused(small, path, ["NAME.npz"])
    path.with_suffix(".npz").unlink()
    assert_refused(small, path, ["NAME.npz", "No such file"])
    path.unlink()
    assert_refused(small, path, ["NAME.json", "No such file"])


def test_an_array_whose_bytes_are_damaged_is_refused(small: MCUNet, tmp_path: Path) -> None:
    network, arrays = described()
    path = written(tmp_path, network, arrays)
    header = io.BytesIO()
    np.save(header, arrays[WEIGHT])
    for damaged in (header.getvalue()[:100], header.getvalue()[:-5], b"PK\x03\x04", b""):
        with zipfile.ZipFile(path.with_suffix(".npz"), "w") as archive:
            for name, value in arrays.items():
                whole = io.BytesIO()
                np.save(whole, value)
                archive.writestr(f"{name}.npy", damaged if name == WEIGHT else whole.getvalue())
        assert_refused(small, path, ["weight", "cannot be read"])


def test_another_network_is_refused(small: MCUNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, *described())
    monkeypatch.setitem(BODIES, "small", BODY[:2])
    assert_refused(MCUNet("small", classes=3, norm="none"), path, ["blocks.2", "no such layer"])
    monkeypatch.setitem(BODIES, "small", BODY)
    assert_refused(MCUNet("small", classes=3, norm="batch"), path, ["norm", "norm=none"])
    assert_refused(MCUNet("small", classes=4, norm="none"), path, ["classifier", "needs"])
    assert_refused(MCUNet("small", classes=3, norm="none", head=8), path, ["classifier", "needs"])
    assert_refused(zoo.make("resnet8?norm=none")[0], path, ["first_conv.conv", "no such layer"])
