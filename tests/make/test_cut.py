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


class Tokens(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table, self.head = torch.nn.Embedding(9, 6), torch.nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.head(self.table(x).mean(1))
        return out


def test_what_only_moves_its_input_is_no_part(tmp_path: Path) -> None:
    """Numbers are reshaped before a table is asked for them."""
    torch.manual_seed(0)
    tokens = torch.randint(0, 9, (2, 5))
    with pytest.raises(InvalidInput, match="its first layer learns"):
        cut(sv.plan(Tokens(), tokens, update="full", device=WIDE))
    plan = sv.plan(Tokens(), tokens, update="last:1", device=WIDE, name="net")
    both, whole = sv.load_cut(sv.emit_cut(cut(plan), tmp_path / "parts", "c")), sv.compile(plan)
    assert both.step(tokens.numpy(), [0, 2]) == pytest.approx(whole.step(tokens, np.array([0, 2])), rel=1e-5)


def small() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(),
        torch.nn.Linear(4, 3),
    )  # fmt: skip


def test_raw_bytes_are_made_what_the_whole_plan_makes_of_them(tmp_path: Path) -> None:
    """In one process and in another, which has only what was written."""
    bytes_to_reals = sv.Preprocess(scale=(1 / 50, 1 / 60, 1 / 70), offset=(-2.0, -1.5, -1.0))
    plan = sv.plan(
        small(), torch.zeros(2, 3, 6, 6), update="last:1", device=WIDE, preprocess=bytes_to_reals, name="net"
    )
    x, y = np.random.default_rng(0).integers(0, 256, (2, 3, 6, 6)).astype(np.uint8), np.array([0, 2])
    made = cut(plan)
    folder = sv.emit_cut(made, tmp_path / "parts", "c")
    assert sv.emit_cut(made, folder, "c") == folder  # again, in the place of the first
    for both in (sv.load_cut(folder), cut_session(made, tmp_path / "frozen", "c")):
        whole = sv.compile(plan)
        np.testing.assert_allclose(both.predict(x), whole.predict(x), rtol=1e-5, atol=1e-6)
        assert both.step(x, y) == pytest.approx(whole.step(x, y), rel=1e-5)
        real = bytes_to_reals(x)
        np.testing.assert_array_equal(both.predict(real), both.predict(x))
    (folder / "cut.json").write_text("{")
    with pytest.raises(InvalidInput, match=r"its cut\.json is missing or damaged: emit it again"):
        sv.load_cut(folder)


def test_what_was_learnt_is_saved_and_goes_on_in_another_process(tmp_path: Path) -> None:
    plan = sv.plan(
        small(), torch.zeros(2, 3, 6, 6), update="last:1", device=WIDE, optimizer=sv.Adam(lr=0.05), name="net"
    )
    folder = sv.emit_cut(cut(plan), tmp_path / "parts", "c")
    x, y = np.random.default_rng(0).standard_normal((2, 3, 6, 6)).astype(np.float32), np.array([0, 2])
    first, again = sv.load_cut(folder), sv.load_cut(folder)
    for _ in range(3):
        first.step(x, y)
    first.save(tmp_path / "learnt.npz")
    again.resume(tmp_path / "learnt.npz")
    assert again.steps == first.steps == 3
    assert again.step(x, y) == first.step(x, y)
    other = sv.load_cut(sv.emit_cut(cut(sv.plan(small(), torch.zeros(2, 3, 6, 6), update="last:1", device=WIDE)),
                                    tmp_path / "other", "c"))  # fmt: skip
    with pytest.raises(InvalidInput, match="of another plan"):
        other.resume(tmp_path / "learnt.npz")


def test_what_somebody_has_put_into_a_part_is_not_lost(tmp_path: Path) -> None:
    made = cut(sv.plan(small(), torch.zeros(2, 3, 6, 6), update="last:1", device=WIDE, name="net"))
    folder = sv.emit_cut(made, tmp_path / "parts", "c")
    (folder / "tail" / "notes.txt").write_text("mine")
    with pytest.raises(InvalidInput, match="it holds other files"):
        sv.emit_cut(made, folder, "c")
    assert (folder / "tail" / "notes.txt").read_text() == "mine"
    (folder / "tail" / "notes.txt").rename(folder / "notes.txt")
    sv.emit_cut(made, folder, "c")
    assert (folder / "notes.txt").read_text() == "mine"
    with pytest.raises(InvalidInput, match="folder is of type int"):
        sv.emit_cut(made, 3)  # type: ignore[arg-type]


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
