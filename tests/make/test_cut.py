"""A plan cut in two: ExecuTorch runs what is frozen, our code learns the rest, and both are what the whole was."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import selvedge as sv
from selvedge.errors import InvalidInput
from selvedge.make.cut import cut, cut_session
from tests.formats.tflite.test_write import quantised
from tests.oracle import WIDE, zoo_model


def test_the_two_halves_learn_what_the_whole_plan_learns(tmp_path: Path) -> None:
    model, example, loss = zoo_model("resnet8?width=0.5")
    plan = sv.plan(
        model, example, loss=loss, update="last:2", optimizer=sv.SGD(lr=0.01, momentum=0.9), device=WIDE, name="net"
    )
    made = cut(plan)
    there, here = cut_session(made, tmp_path / "frozen"), sv.compile(plan)
    rng = np.random.default_rng(0)
    for _ in range(5):
        x, y = rng.standard_normal(example.shape).astype(np.float32), rng.integers(0, 10, 1)
        assert there.step(x, y) == pytest.approx(here.step(x, y), rel=1e-4)
    whole = here.state_dict()
    for name, array in there.state_dict().items():
        np.testing.assert_allclose(np.asarray(array), whole[name].numpy(), rtol=1e-4, atol=1e-5)
    x = rng.standard_normal(example.shape).astype(np.float32)
    np.testing.assert_allclose(there.predict(x), here.predict(x), rtol=1e-4, atol=1e-5)
    assert there.evaluate(x, y)[0] == pytest.approx(here.evaluate(x, y)[0], rel=1e-4)


def test_the_price_of_the_cut_is_the_planners_own() -> None:
    model, example, loss = zoo_model("resnet8?width=0.5")
    plan = sv.plan(model, example, loss=loss, update="last:2", device=WIDE, name="net")
    made = cut(plan)
    assert made.frozen.cost.macs + made.tail.cost.macs == plan.cost.macs
    assert made.tail.arena_bytes < plan.arena_bytes
    assert made.latent_bytes == sum(s.bytes for s in made.frozen.network.outputs.values())
    told = str(made)
    assert f"{made.latent_bytes:,} B cross at each call" in told
    assert f"{made.tail.cost.macs:,} MACs a step in our code instead of {plan.cost.macs:,}" in told
    assert set(made.tail.updated) == set(plan.updated)


def test_what_is_written_is_one_session_where_torch_is_not(tmp_path: Path) -> None:
    """As ``sv.load_cut`` finds it in another process, frozen by LiteRT; and a folder of two cuts is refused."""
    pytest.importorskip("ai_edge_litert")
    model, example, loss = zoo_model("ds_cnn")
    plan = sv.plan(model, example, loss=loss, update="last:1", optimizer=sv.SGD(lr=0.05), device=WIDE, name="net")
    folder = sv.emit_cut(sv.cut(plan), tmp_path / "parts", "litert")
    x = np.random.default_rng(0).standard_normal(example.shape).astype(np.float32)
    here = sv.compile(plan)
    wanted = [here.step(x, np.array([3])) for _ in range(5)]
    np.save(tmp_path / "x.npy", x)
    code = """
import sys
sys.modules["torch"] = None
import numpy as np, selvedge as sv
both = sv.load_cut("parts")
print(*(both.step(np.load("x.npy"), [3]) for _ in range(5)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose([float(loss) for loss in done.stdout.split()], wanted, rtol=1e-4)
    # The same network with other weights: its latent is of the same shape.
    torch.manual_seed(5)
    moved, _, _ = zoo_model("ds_cnn", seed=5)
    other = sv.plan(moved, example, loss=loss, update="last:1", optimizer=sv.SGD(lr=0.05), device=WIDE, name="net")
    sv.emit_cut(sv.cut(other), tmp_path / "other", "litert")
    shutil.rmtree(folder / "tail")
    with pytest.raises(InvalidInput, match="it holds no tail part: give one that emit_cut has written"):
        sv.load_cut(folder)
    shutil.copytree(tmp_path / "other" / "tail", folder / "tail")
    with pytest.raises(InvalidInput, match="its two parts are not of one cut"):
        sv.load_cut(folder)
    (folder / "cut.json").write_text("{")
    with pytest.raises(InvalidInput, match=r"its cut.json is missing or damaged: emit it again"):
        sv.load_cut(folder)
    sv.emit_cut(sv.cut(other), folder, "litert")
    assert sorted(file.name for file in folder.iterdir()) == ["cut.json", "frozen", "tail"]
    assert np.isfinite(sv.load_cut(folder).predict(x)).all()
    with pytest.raises(InvalidInput, match="cut is of type Plan"):
        sv.emit_cut(plan, tmp_path / "no")  # type: ignore[arg-type]


def test_the_int8_layers_of_a_file_are_a_frozen_part(tmp_path: Path) -> None:
    """The road of an NPU: int8 before the cut, floats that learn behind it."""
    file = sv.learnable_tflite(sv.save_tflite(quantised("ds_cnn"), tmp_path / "net.tflite"), last=2)
    plan = sv.plan(file, file.example, update="last:2", device=WIDE, name="net")
    made = sv.cut(plan)
    assert [node.op for node in made.frozen.network.graph.nodes()].count("int8_conv2d") == 8
    assert not any(node.op.startswith("int8") for node in made.tail.captured.graph.nodes())
    told = made.to_dict()
    assert told["latent_bytes"] == made.latent_bytes
    assert told["tail"]["arena_bytes"] == made.tail.arena_bytes


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"update": "full"}, "its first layer learns: freeze some"),
        ({"update": "last:1", "norms": "folded"}, 'norms is folded: plan with norms="frozen"'),
        ({"update": "last:1", "loss": "reconstruction"}, "its target is the input"),
        ({"update": "last:1", "accumulate": 2, "batch": 2}, "plan one step of one size"),
    ],
)
def test_what_cannot_be_cut_says_what_to_plan(settings: dict[str, object], told: str) -> None:
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(6, 6), torch.nn.ReLU(), torch.nn.Linear(6, 6))
    plan = sv.plan(net, torch.zeros(2, 6), device=WIDE, **{"loss": "cross_entropy", **settings})  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match=told):
        cut(plan)
    with pytest.raises(InvalidInput, match=r"give what selvedge\.plan"):
        cut(net)  # type: ignore[arg-type]
