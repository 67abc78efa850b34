"""Bad input is one line; files of widths that were edited too."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import selvedge as sv
from selvedge import zoo

from .nets import images, made

X, Y = images(8), torch.arange(8) % 5


def line(**changed: Any) -> str:
    named: dict[str, Any] = {
        "model": made("residual"),
        "example": X[:1],
        "target": {"macs": 0.5},
        "multiple": 4,
        **changed,
    }
    with pytest.raises(sv.SelvedgeError) as refused:
        sv.prune(named.pop("model"), named.pop("example"), named.pop("target"), **named)
    said = str(refused.value)
    assert "\n" not in said
    return said


def exploding(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return (model(x).sum() * 1e30) ** 3


def test_bad_settings_are_one_line() -> None:
    shares = 'give shares that may stay, as {"macs": 0.4}, of macs, parameters, bytes, channels'
    assert line(target={}) == f"target is {{}}: {shares}"
    assert line(target=0.4) == f"target is 0.4: {shares}"
    assert line(target={"flops": 0.4}) == "target is flops: give one of macs, parameters, bytes, channels"
    share = "give the share that may stay, above 0 and below 1: 0.4 for 40 %"
    assert line(target={"macs": 40}) == f"target of macs is 40: {share}"
    assert line(target={"macs": float("nan")}) == f"target of macs is nan: {share}"
    known = "l1, l2, taylor, bn_scale, hessian, random"
    assert line(criterion="l3") == f"criterion is l3: give one of {known}"
    free = "criterion taylor looks at gradients: give (x, y), or take l1, l2, bn_scale, random"
    assert line(criterion="taylor") == f"data is not given: {free}"
    assert line(rank="all") == "rank is all: give one of global, layer"
    assert line(multiple=0) == "multiple is 0: give a whole number, 1 or more"
    assert line(least=2.5) == "least is 2.5: give a whole number, 1 or more"
    assert line(seed=-1) == "seed is -1: give a whole number, 0 or more"
    assert line(on_progress=3) == "on_progress is 'no function': give one, or leave it out".replace("'", "")
    assert line(keep="a").startswith("keep is a: give names of layers")
    assert line(keep=["z*"]) == "keep is z*: the model has no layer of that name: see model.named_modules()"
    with pytest.raises(sv.InvalidInput, match="schedule is slow: give one of linear, cubic"):
        sv.Pruner(made("residual"), X[:1], {"macs": 0.5}, schedule="slow")
    with pytest.raises(sv.InvalidInput, match="steps is 0: give a whole number, 1 or more"):
        sv.Pruner(made("residual"), X[:1], {"macs": 0.5}, steps=0)


def test_bad_models_and_examples_are_one_line() -> None:
    assert line(model=3) == "model is of type int: give an nn.Module"
    assert "is lazy" in line(model=nn.LazyLinear(3))
    assert "model.float()" in line(model=made("residual").half())
    assert line(model=made("residual").to("meta")) == "model is on meta (a.weight): give it on the CPU: model.cpu()"
    broken = made("residual")
    broken.b.weight.data[0] = torch.nan
    assert line(model=broken).startswith("model is not finite (b.weight): its training has diverged")
    assert line(example=[1]).startswith("example is of type list: give an input of the model [n, ...]")
    assert "the model fails on it" in line(example=torch.zeros(1, 5, 8, 8))
    flat = nn.Sequential(nn.Flatten(), nn.Linear(192, 5))
    said = "pruning this model is not supported: no channels can be cut: 1 goes into the model's output"
    assert line(model=flat) == said
    assert line(model=nn.ReLU()).endswith("no channels can be cut: it has no convolution or linear layer")
    unlike = (
        "model is a graph without layers: give the nn.Module that it was made of, and prune before sv.QAT or an export"
    )
    assert line(model=torch.export.export(made("residual"), (X,)).module()) == unlike
    assert line(model=sv.QAT(made("residual"), X)) == unlike
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's own, of both
        compiled = torch.compile(made("residual"))
        old = nn.Sequential(nn.utils.weight_norm(nn.Conv2d(3, 8, 3)), nn.Conv2d(8, 3, 3))
    assert line(model=compiled).startswith("model is compiled: give the module that torch.compile")
    assert "it cannot be copied; of an old torch.nn.utils.weight_norm take that of" in line(model=old)
    plain = made("concatenated")
    assert line(model=plain, criterion="bn_scale").startswith("criterion is bn_scale: the model has no batch norm")


def test_a_target_out_of_reach_names_the_nearest() -> None:
    said = line(target={"macs": 0.01})
    least = float(said.partition("give ")[2].partition(" ")[0])
    assert said.startswith("target of macs is 0.01: the least is ")
    assert "with widths of 4 or more in steps of 4" in said
    assert sv.prune(made("residual"), X[:1], {"macs": least}, multiple=4).share["macs"] <= least
    assert "the least is" in line(target={"macs": least - 0.002})
    assert line(multiple=64, target={"macs": 0.5}).endswith("in steps of 64: give a smaller multiple= or least=")


def test_bad_data_are_one_line() -> None:
    assert line(criterion="taylor", data=X).startswith("data is with a batch of type Tensor: give pairs (x, y)")
    assert line(criterion="taylor", data=5) == "data is of type int: give (x, y), or batches of (x, y)"
    assert line(criterion="taylor", data=[]).startswith("data is without samples")
    assert line(criterion="taylor", data=(X, Y[:5])) == "data is of 8 samples and 5 targets: give one target a sample"
    assert line(criterion="hessian", data=(X / 0, Y)) == "data is not finite: remove NaN and infinity"
    assert line(criterion="taylor", data=(X, Y.float())).startswith("loss is not given: targets are no class numbers")
    said = line(criterion="taylor", data=(X[:, :1], Y))
    assert said.startswith("data is of shape [N, 1, 8, 8]: the model fails on it: ")
    said = line(criterion="taylor", data=(X, Y[:, None]))
    assert said == "data is with targets [8, 1]: give class numbers [8], or loss="
    assert line(criterion="hessian", data=(X, Y + 5)) == "data is with target 5: give classes of 0 to 4"
    assert line(criterion="taylor", data=(X, Y), loss=lambda m, x, y: 1.0).startswith(
        "loss is no number with a gradient"
    )
    said = line(criterion="taylor", data=(X, Y), loss=exploding)
    assert said.startswith("gradient of ")
    assert "is not finite in batch 0: the loss is " in said


EDITS = {
    "inputs of b is 99: the model's layer has 8: give at most that": ("b", "inputs", 99),
    "outputs of b is 0: give a whole number, 1 or more": ("b", "outputs", 0),
    "outputs of b is -4: give a whole number, 1 or more": ("b", "outputs", -4),
    "outputs of b is 4.0: give a whole number, 1 or more": ("b", "outputs", 4.0),
    "groups of b is 3: inputs 4 and outputs 12 have to be multiples of it": ("b", "groups", 3),
    "kind of b is Conv9d: give one of Conv1d": ("b", "kind", "Conv9d"),
    "widths of b is of a Conv1d: the model's is a Conv2d": ("b", "kind", "Conv1d"),
    "outputs of bn1 is 5: a BatchNorm2d has as many as inputs: 4": ("bn1", "outputs", 5),
    "groups of fc is 2: a Linear has 1": ("fc", "groups", 2),
    "widths of b is 2 -> 12: it does not fit the layers before it": ("b", "inputs", 2),
}


@pytest.mark.parametrize("said", EDITS)
def test_an_edited_file_is_one_line_that_names_the_layer(said: str, tmp_path: Path) -> None:
    small = sv.prune(made("residual"), X[:1], {"channels": 0.9}, multiple=4, keep=["b"])
    path = tmp_path / "widths.json"
    small.widths.save(path)
    whole = json.loads(path.read_text())
    layer, field, value = EDITS[said]
    whole["layers"][layer][field] = value
    path.write_text(json.dumps(whole))
    fresh = made("residual")
    before = {k: v.clone() for k, v in fresh.state_dict().items()}
    with pytest.raises(sv.InvalidInput) as refused:
        sv.Widths.load(path).apply(fresh, X)
    assert str(refused.value).startswith(said)
    assert "\n" not in str(refused.value)
    assert {k: v.shape for k, v in fresh.state_dict().items()} == {k: v.shape for k, v in before.items()}
    assert all(torch.equal(v, before[k]) for k, v in fresh.state_dict().items())
    assert sv.Widths.of(fresh) == sv.Widths.of(made("residual"))


def test_files_that_are_none_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "widths.json"
    whole = sv.Widths.of(made("residual"))
    whole.save(path)
    text = path.read_text()
    bad = {
        "it cannot be read": "{",
        "schema of widths file is selvedge.widths/2: this version reads selvedge.widths/1": text.replace("/1", "/2"),
        "schema of widths file is None": "[1]",
        "it needs schema and layers, nothing else": '{"schema": "selvedge.widths/1", "layers": []}',
        "widths of a is there twice: remove one of the two": text.replace('"layers": {', '"layers": {"a": {},'),
        "give kind, inputs, outputs, groups": text.replace('"groups": 1', '"group": 1', 1),
    }
    for said, content in bad.items():
        path.write_text(content)
        with pytest.raises(sv.InvalidInput) as refused:
            sv.Widths.load(path)
        assert said in str(refused.value)
        assert "\n" not in str(refused.value)
    with pytest.raises(sv.InvalidInput, match="it cannot be read"):
        sv.Widths.load(tmp_path / "none.json")


def test_another_architecture_is_one_line() -> None:
    widths = sv.Widths.of(made("residual"))
    with pytest.raises(sv.InvalidInput) as refused:
        widths.apply(made("grouped"))
    assert "build the architecture that was pruned" in str(refused.value)
    deep = sv.Widths.of(made("squeezed"))
    layers = dict(deep.layers)
    layers["dw"] = sv.Width("Conv2d", 8, 8, 4)
    with pytest.raises(sv.InvalidInput, match="groups of dw is 4: the layer is depthwise"):
        sv.Widths(layers).apply(made("squeezed"))


def test_a_zoo_model_in_its_own_widths_stays_as_it_is() -> None:
    net, x, _ = zoo.make("resnet8")
    before = net.eval()(x)
    assert torch.equal(sv.Widths.of(net).apply(net, x)(x), before)
