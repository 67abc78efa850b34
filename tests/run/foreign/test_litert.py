"""A plan in LiteRT: it learns as PyTorch does, without torch and without TensorFlow, and goes on in another process."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import selvedge as sv
from selvedge.artifact.litert import signature_of
from selvedge.errors import InvalidInput
from selvedge.run.foreign.session import ForeignSession
from tests.oracle import WIDE, autograd, batch_of, zoo_model

pytest.importorskip("ai_edge_litert")

LEARN: tuple[str, ...] = ("resnet8", "deep_autoencoder")  # all: `make matrix`
if os.environ.get("SELVEDGE_ALL"):
    LEARN = (*LEARN, "ds_cnn", "mobilenet_v2?width=0.35&resolution=96")
BATCH = 2
Given = tuple[sv.Plan, Path, torch.Tensor, torch.Tensor | None]


class Small(nn.Module):
    """A norm, a depthwise layer, a largest and a mean: each sort of layer, once."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(3, 2, 1),
            nn.Conv2d(8, 8, 3, stride=2, padding=1, groups=8), nn.ReLU6(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        )  # fmt: skip
        self.head = nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x))


def emitted(spec: str, folder: Path) -> Given:
    model, example, loss = zoo_model(spec)
    with torch.no_grad():
        x, y = batch_of(example, loss, BATCH, model(example).shape[1])
    optimizer = sv.SGD(lr=0.002 if y is not None else 0.02, momentum=0.9)
    plan = sv.plan(model, x, loss=loss, device=WIDE, name="net", optimizer=optimizer)
    return plan, sv.emit(plan, "litert", folder / "net"), x, y


def small(folder: Path, **asked: object) -> Given:
    torch.manual_seed(0)
    x, y = torch.randn(4, 3, 12, 12), torch.tensor([0, 4, 1, 2])
    options = {"optimizer": sv.SGD(lr=0.01, momentum=0.9), **asked}
    plan = sv.plan(Small(), x, device=WIDE, name="net", **options)
    return plan, sv.emit(plan, "litert", folder / "net"), x, y


@pytest.fixture(scope="module", params=LEARN)
def learning(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Given]:
    return request.param, emitted(request.param, tmp_path_factory.mktemp("litert"))


def test_every_gradient_is_pytorchs(learning: tuple[str, Given]) -> None:
    """Within 1e-4, or three times what float32 PyTorch differs from itself in float64: by what momentum is after a step
    at rate 0."""
    spec, (_, folder, x, y) = learning
    session = sv.load(folder)
    session.step(x, y, lr=0.0)
    model = zoo_model(spec)[0]
    exact, single = autograd(model, x, y, torch.float64), autograd(model, x, y, torch.float32)
    held = session.optimizer_state_dict()
    assert {f"{name}.momentum" for name in exact} == set(held)
    for name, gradient in exact.items():
        size = np.linalg.norm(gradient)
        off, own = (np.linalg.norm(g - gradient) / size for g in (held[f"{name}.momentum"], single[name]))
        assert off <= max(1e-4, 3 * own), name


STEPS = """
import json, sys, numpy as np, selvedge as sv
folder, data, state, steps, kept = sys.argv[1:]
session, given = sv.load(folder), np.load(data)
x, y = given["x"], given["y"] if "y" in given else None
if state:
    held = np.load(state)
    begun = {n.partition(":")[2]: held[n] for n in held.files if n.startswith("m:")}
    session.load_state_dict(begun)
    own = {n.partition(":")[2]: held[n] for n in held.files if n.startswith("o:")}
    session.load_optimizer_state_dict(own, int(held["steps"]))
losses = [session.step(x, y) for _ in range(int(steps))]
if kept:
    model, own = session.state_dict(), session.optimizer_state_dict()
    every = {**{"m:" + n: a for n, a in model.items()}, **{"o:" + n: a for n, a in own.items()}}
    np.savez(kept, steps=session.steps, **every)
assert not {"torch", "tensorflow", "selvedge.ir"} & set(sys.modules)
print(json.dumps(losses))
"""


def steps(folder: Path, data: Path, count: int, state: Path | str = "", kept: Path | str = "") -> list[float]:
    """Losses of ``count`` steps in a process of its own, without torch."""
    call = [sys.executable, "-c", STEPS, str(folder), str(data), str(state), str(count), str(kept)]
    return list(json.loads(subprocess.run(call, check=True, capture_output=True, text=True).stdout))


def test_a_hundred_steps_without_torch_and_on_from_what_was_saved(learning: tuple[str, Given], tmp_path: Path) -> None:
    """Saved after 60 steps and restored in another process, the other 40 are bit by bit those of one process."""
    _, (_, folder, x, y) = learning
    data, kept = tmp_path / "data.npz", tmp_path / "kept.npz"
    np.savez(data, **{"x": x.numpy(), **({} if y is None else {"y": y.numpy()})})
    whole = steps(folder, data, 100)
    assert whole[-1] < 0.9 * whole[0]
    assert steps(folder, data, 60, kept=kept) == whole[:60]
    assert steps(folder, data, 40, state=kept) == whole[60:]


@pytest.mark.parametrize(
    "asked",
    [
        {"update": "last:2"},
        {"update": "bias"},
        {"update": ("*.weight[:50%]",)},
        {"optimizer": sv.Adam(lr=0.001, eps=1e-4)},
        {"optimizer": sv.RMSProp(lr=0.001, momentum=0.5)},
        {"optimizer": sv.SGD(lr=0.01, momentum=0.9, clip_norm=0.5)},
        {"accumulate": 2},
        {"norms": "folded"},
        {"norms": "live"},
    ],
    ids=str,
)
def test_what_a_plan_says_it_does_as_our_own_code(asked: dict[str, object], tmp_path: Path) -> None:
    plan, folder, x, y = small(tmp_path, **asked)
    here, there = sv.compile(plan), sv.load(folder)
    for _ in range(3):
        assert there.step(x, y) == pytest.approx(here.step(x, y), rel=1e-5)
    own, other = here.state_dict(), there.state_dict()
    assert list(own) == list(other)
    for name, array in other.items():
        np.testing.assert_allclose(array, own[name].numpy(), rtol=0, atol=1e-5 * max(0.1, np.abs(array).max()))
    part = x[: plan.micro_batch]
    np.testing.assert_allclose(there.predict(part), here.predict(part), rtol=0, atol=1e-5)


class Encoder(nn.Module):
    """A small BERT: tokens, places, two layers of attention, GELU and layer norm."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(50, 32), nn.Parameter(0.1 * torch.randn(1, 16, 32))
        layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0, activation="gelu", batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm, self.head = nn.LayerNorm(32), nn.Linear(32, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.norm(self.layers(self.tokens(x) + self.places))[:, 0])


def test_a_small_bert_predicts_and_learns_as_in_pytorch(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, x, y = Encoder().eval(), torch.randint(0, 50, (2, 16), dtype=torch.int32), torch.tensor([1, 3])
    wanted = model(x).detach().numpy()
    predicting = sv.load(sv.emit(sv.plan_inference(model, x, device=WIDE), "litert", tmp_path / "predicts"))
    np.testing.assert_allclose(predicting.predict(x), wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())
    plan = sv.plan(model, x, device=WIDE, optimizer=sv.SGD(lr=0.01, momentum=0.9))
    session = sv.load(sv.emit(plan, "litert", tmp_path / "learns"))
    session.step(x, y, lr=0.0)
    exact, held = autograd(model, x, y, torch.float64), session.optimizer_state_dict()
    assert {f"{name}.momentum" for name in exact} == set(held)
    for name, gradient in exact.items():
        assert np.linalg.norm(held[f"{name}.momentum"] - gradient) <= 1e-4 * np.linalg.norm(gradient) + 1e-7, name
    losses = [session.step(x, y) for _ in range(30)]
    assert losses[-1] < 0.1 * losses[0]


def test_a_sparse_update_has_no_gradients_of_what_is_frozen(tmp_path: Path) -> None:
    """Fewer operators, fewer variables, and what does not learn is a constant of the file."""
    from selvedge.formats import tflite

    sizes = {}
    for update in ("full", "last:1"):
        plan = small(tmp_path / update, update=update)[0]
        stored = {**plan.captured.stored(), **plan.programs.optimizer_state}
        graphs = {signature_of(name): graph for name, graph in plan.programs.graphs.items()}
        made = tflite.program(graphs, stored)
        train = next(made.models[s.model] for s in made.signatures if s.name == "train")
        (saved,) = (s.outputs for s in made.signatures if s.name == "save")
        sizes[update] = len(train.operators), len(saved)
    assert sizes["last:1"][1] == 4  # weight, bias and the momentum of each
    assert 2 * sizes["last:1"][0] < sizes["full"][0]


def test_a_step_that_is_not_finite_changes_nothing(tmp_path: Path) -> None:
    _, folder, x, y = small(tmp_path)
    session = sv.load(folder)
    session.step(x, y)
    good = session.state_dict()
    session.load_state_dict({**good, "head.bias": np.array([3e38, -3e38, -3e38, -3e38, -3e38], np.float32)})
    before = session.snapshot()
    with pytest.raises(sv.NotFinite, match=r"loss is (inf|nan): the step was refused and nothing was updated"):
        session.step(x, y)
    after = session.snapshot()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    session.load_state_dict(good)
    assert np.isfinite(session.step(x, y))


def test_what_does_not_learn_cannot_be_replaced_and_then_nothing_is(tmp_path: Path) -> None:
    _, folder, _, _ = small(tmp_path, update="last:1")
    session = sv.load(folder)
    assert isinstance(session, ForeignSession)
    before = session.state_dict()
    session.load_state_dict(before)
    moved = {name: array + 1 for name, array in before.items()}
    with pytest.raises(InvalidInput, match=r"it does not learn, and is part of the \.tflite file: emit it again"):
        session.load_state_dict(moved)
    assert all(np.array_equal(before[n], a) for n, a in session.state_dict().items())


def test_a_file_that_is_not_the_manifests_is_one_line(tmp_path: Path) -> None:
    _, folder, _, _ = small(tmp_path / "a")
    other = emitted("deep_autoencoder", tmp_path / "b")[1]
    for data, told in (
        (b"no model", r"LiteRT refuses it: "),
        ((other / "net.tflite").read_bytes(), r"its infer differs from the manifest in x: emit it again"),
    ):
        (folder / "net.tflite").write_bytes(data)
        said = json.loads((folder / "manifest.json").read_text())
        said["files"]["net.tflite"] = hashlib.sha256(data).hexdigest()
        (folder / "manifest.json").write_text(json.dumps(said))
        with pytest.raises(InvalidInput, match=rf"^artifact file is net\.tflite: {told}") as raised:
            sv.load(folder)
        assert "\n" not in str(raised.value)
