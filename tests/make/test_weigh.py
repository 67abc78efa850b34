"""Ways to a small network, weighed: each figure against an outside one, by the files, by LiteRT, by scikit-learn."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes, load_digits
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.metrics import accuracy_score, log_loss, mean_squared_error
from torch import nn

import selvedge as sv
from selvedge.make.weighing import Weighed
from selvedge.make.weighing.bodies import narrowed
from selvedge.make.weighing.parts import Parts
from selvedge.make.weighing.ways import BODIES, DEFAULT, Way, chosen, parse

WAYS = ("float", "ptq", "qat", "pruned+distilled", "pruned+distilled+qat", "narrow+ptq", "efficient")
EPOCHS = 8


def digits() -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    x, y = load_digits(return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(x))
    images, y = np.float32(x.reshape(-1, 1, 8, 8) / 16)[rows], y[rows]
    return tuple((images[a:b], y[a:b]) for a, b in ((0, 700), (700, 900), (900, 1200)))


def make(seed: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU(), nn.Conv2d(12, 24, 3, 2), nn.ReLU(),
        nn.Flatten(), nn.Linear(216, 10),
    )  # fmt: skip


def other(seed: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 10))


class Listening(list[str]):
    """What was told on the way."""

    def __call__(self, done: int, total: int, says: str) -> None:
        assert 0 <= done <= total
        self.append(says)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("weighed")


def run(folder: Path, told: Listening, ways: tuple[str, ...] = WAYS, **more: Any) -> Weighed:
    return sv.weigh(
        make, digits(), device="nrf52832", ways=ways, epochs=EPOCHS, efficient=other, work=folder / "work",
        on_progress=told, **{"seeds": 1, **more},
    )  # fmt: skip


@pytest.fixture(scope="module")
def found(folder: Path) -> Weighed:
    return run(folder, Listening(), out=folder / "nets")


def test_every_way_learns_and_is_better_than_guessing(found: Weighed) -> None:
    assert [row.way for row in found.rows] == list(WAYS)
    assert found.guessing.accuracy is not None
    assert found.guessing.accuracy < 0.15
    for row in found.rows:
        assert not row.refused
        assert row.mean is not None
        assert row.mean > 0.5, row.way
        assert row.spread is None
        assert 1 <= row.outcomes[0].epoch <= EPOCHS
    assert (found["float"].mean or 0) > 0.8


def test_an_int8_row_is_what_litert_says_of_its_file(found: Weighed, folder: Path) -> None:
    interpreter = pytest.importorskip("ai_edge_litert.interpreter")
    x, y = digits()[2]
    for row in (found["ptq"], found["pruned+distilled+qat"]):
        path = folder / "nets" / f"{row.way}.tflite"
        assert row.costs is not None
        assert row.costs["file_bytes"] == path.stat().st_size
        runs = interpreter.Interpreter(
            str(path), num_threads=1, experimental_op_resolver_type=interpreter.OpResolverType.BUILTIN_REF
        )
        runs.allocate_tensors()
        (into,), (out,) = runs.get_input_details(), runs.get_output_details()
        right = 0
        for image, label in zip(x, y, strict=True):
            given = image.transpose(1, 2, 0)[None]
            if into["dtype"] == np.int8:
                scale, zero = into["quantization"]
                given = np.clip(np.rint(given / scale) + zero, -128, 127).astype(np.int8)
            runs.set_tensor(into["index"], given)
            runs.invoke()
            right += int(runs.get_tensor(out["index"]).argmax() == label)
        assert row.mean == pytest.approx(right / len(y), abs=1.01 / len(y))  # halves may be rounded to either side


def test_a_float_row_is_what_onnx_runtime_says_of_its_file(found: Weighed, folder: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    x, y = digits()[2]
    for row in (found["float"], found["efficient"]):
        path = folder / "nets" / f"{row.way}.onnx"
        assert row.costs is not None
        assert row.costs["file_bytes"] == path.stat().st_size
        session = runtime.InferenceSession(str(path))
        (into,) = session.get_inputs()
        outputs = [session.run(None, {into.name: image.reshape(into.shape)})[0] for image in x]  # one channel
        right = np.mean([z.argmax() == label for z, label in zip(outputs, y, strict=True)])
        assert row.mean == pytest.approx(float(right), abs=1.01 / len(y))


def test_costs_are_those_of_the_network(found: Weighed) -> None:
    whole, small = found["float"].costs, found["pruned+distilled"].costs
    assert whole is not None
    assert small is not None
    assert whole["macs"] == 12 * 9 * 64 + 24 * 12 * 9 * 9 + 216 * 10
    assert small["macs"] <= whole["macs"] / 2
    room = sv.Device(name="room", ram="1GiB", flash="1GiB")
    full = sv.plan(make(0).eval(), torch.zeros(1, 1, 8, 8), device=room, optimizer=sv.SGD(lr=0.01))
    assert whole["training"]["full_bytes"] == full.arena_bytes
    int8 = found["ptq"].costs
    assert int8 is not None
    assert int8["training"] == whole["training"]
    assert int8["arena_bytes"] < whole["arena_bytes"]
    for row in found.rows:
        assert row.here is not None
        assert 0 < row.here.low <= row.here.median <= row.here.high
    # PTQ is made of the float network, and its time includes that one's.
    assert (found["ptq"].seconds or 0) > (found["float"].seconds or 0) > 0


def test_the_same_call_goes_on_and_more_seeds_and_ways_are_added(found: Weighed, folder: Path) -> None:
    told = Listening()
    again = run(folder, told)
    assert not any("epoch" in says for says in told)
    assert [r.outcomes for r in again.rows] == [r.outcomes for r in found.rows]
    assert [r.costs for r in again.rows] == [r.costs for r in found.rows]
    more = run(folder, told, ("ptq", "float"), seeds=2)
    assert [r.way for r in more.rows] == ["ptq", "float"]
    assert more["float"].outcomes[0] == found["float"].outcomes[0]
    assert more["float"].outcomes[1] != found["float"].outcomes[0]
    a, b = (o.test.accuracy or 0 for o in more["float"].outcomes)
    assert more["float"].mean == pytest.approx((a + b) / 2)
    assert more["float"].spread == pytest.approx(abs(a - b) / 2**0.5)
    with pytest.raises(
        sv.InvalidInput, match=r"work is .*: it is of a comparison with macs 0\.5, not 0\.4: name another"
    ):
        run(folder, told, macs=0.4)


@pytest.mark.parametrize(
    "pattern", ["way-ptq-0-*.tflite", "way-ptq-0-*.native/manifest.json", "way-ptq-0-*.json", "stage-float-0-*.npz"]
)
def test_a_piece_that_is_damaged_is_made_again(tmp_path: Path, pattern: str) -> None:
    def go(out: str) -> tuple[Weighed, bytes]:
        made = sv.weigh(
            other, digits(), device="nrf52832", ways=["ptq"], epochs=1, seeds=1, work=tmp_path / "w",
            out=tmp_path / out,
        )  # fmt: skip
        return made, (tmp_path / out / "ptq.tflite").read_bytes()

    (first, held), (damaged,) = go("a"), (tmp_path / "w").glob(pattern)
    damaged.write_bytes(damaged.read_bytes()[:100])
    if pattern.startswith("stage"):
        next((tmp_path / "w").glob("way-ptq-0-*.json")).unlink()  # it is read by what is made of it
    again, same = go("b")
    assert again["ptq"].outcomes[0].test == first["ptq"].outcomes[0].test
    assert same == held


def test_a_row_is_found_by_its_words_in_any_order(found: Weighed) -> None:
    assert found["qat+distilled+pruned"] is found["pruned+distilled+qat"]
    with pytest.raises(sv.InvalidInput, match="way is narrow: give one of float, ptq, qat"):
        found["narrow"]
    with pytest.raises(sv.InvalidInput):
        list(found)  # type: ignore[call-overload]


def _failing(seed: int) -> nn.Module:
    raise ValueError("no such\nfile")


X = np.random.default_rng(0).normal(size=(12, 64)).astype(np.float32)


@pytest.mark.parametrize(
    ("y", "given", "said"),
    [
        (X[:, 0], {"loss": "mse"}, r"model is with an output \[10\]: targets are \[\] a sample: make .* 1 wide"),
        (X[:, :3] > 0, {"loss": "bce_with_logits"}, r"output \[10\]: targets are \[3\] a sample: make .* 3 wide"),
        (None, {"loss": "reconstruction"}, r"output \[10\]: targets are \[64\] a sample: make .* 64 wide"),
        (np.zeros((12, 1), int), {}, r"output \[10\]: targets are \[1\] a sample: give class numbers \[\]"),
        (X[:, :10] * np.nan, {"loss": "mse"}, "targets of train is not finite: give numbers"),
        (
            np.zeros(12, int),
            {"model": lambda seed: nn.Linear(64, 10).requires_grad_(False)},
            "without parameters that le",
        ),
        (np.zeros(12, int), {"model": _failing}, "model is failing on seed 0: the function of a seed says: no such"),
        (np.zeros(12, int), {"batch": 1}, "batch is 1: the model cannot be trained on it: Expected more than 1 value"),
    ],
)
def test_targets_and_models_that_do_not_go_together_are_one_line(y: Any, given: dict[str, Any], said: str) -> None:
    def normed(seed: int) -> nn.Module:
        return nn.Sequential(nn.Linear(64, 8), nn.BatchNorm1d(8), nn.Linear(8, 10))

    model = given.pop("model", normed)
    with pytest.raises(sv.InvalidInput, match=said):
        sv.weigh(model, [(X, y)] * 3, device="nrf52832", ways=["float"], epochs=1, seeds=1, **given)


def test_figures_for_machines_and_people(found: Weighed) -> None:
    told = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert told["epochs"] == EPOCHS
    assert told["data"] == {"train": 700, "validation": 200, "test": 300}
    row = told["rows"][1]
    assert set(row) == {"way", "what", "needs", "refused", "test", "seeds", "costs", "here", "seconds_to_produce"}
    assert set(row["test"]) == {"mean", "spread", "last_epoch"}
    assert set(row["seeds"][0]) == {"seed", "test", "last", "epoch", "seconds", "macs", "arena_bytes"}
    assert set(row["costs"]) == {
        "file", "file_bytes", "arena_bytes", "weights_bytes", "flash_bytes", "macs", "seconds", "joules", "refused",
        "training",
    }  # fmt: skip
    assert row["needs"] == ["samples without labels"]
    page = found.page()
    for way in WAYS:
        assert f"\n{way} " in str(found)
        assert f"<td>{way}</td>" in page
        assert len(re.findall(rf"(?<![+\w]){re.escape(way)}: ", page)) == 2  # a point in each picture
    assert all(len(line) <= 150 for line in str(found).splitlines())


def test_a_trained_model_is_shown_as_it_came_and_without_classes_there_is_no_teacher(tmp_path: Path) -> None:
    x, y = load_diabetes(return_X_y=True)
    x, y = np.float32(10 * x), np.float32((y - y.mean()) / y.std())[:, None]
    parts = tuple((x[a:b], y[a:b]) for a, b in ((0, 240), (240, 300), (300, 442)))
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(10, 16), nn.ReLU(), nn.Linear(16, 1))
    found = sv.weigh(
        model, parts, device="nrf52832", loss="mse", trained=True, epochs=3, seeds=1, lr=3e-2,
        ways=["given", "float", "given+ptq", "distilled", "efficient"],
    )  # fmt: skip
    assert found["given"].outcomes[0].epoch == 0
    assert (found["float"].mean or 9) < (found["given"].mean or 0)
    assert found["given+ptq"].mean == pytest.approx(found["given"].mean or 0, rel=0.1)
    with torch.no_grad():
        expected = mean_squared_error(parts[2][1], model(torch.from_numpy(parts[2][0])).numpy())
    assert found["given"].mean == pytest.approx(expected, rel=1e-4)
    dummy = DummyRegressor().fit(*parts[0])
    assert found.guessing.loss == pytest.approx(mean_squared_error(parts[2][1], dummy.predict(parts[2][0])))
    assert found["distilled"].refused.startswith("a teacher under mse is not supported")
    assert "they tell classes apart" in found["efficient"].refused
    assert "refused: a teacher under mse" in found.page()


def test_guessing_is_scikit_learns_dummy() -> None:
    train, _, test = data = digits()
    found = Parts.of(data, "cross_entropy").guessing("cross_entropy")
    dummy = DummyClassifier(strategy="prior").fit(*train)
    assert found.accuracy == pytest.approx(accuracy_score(test[1], dummy.predict(test[0])))
    assert found.loss == pytest.approx(log_loss(test[1], dummy.predict_proba(test[0])))


def test_a_narrow_network_has_every_layer_narrower_and_weights_of_its_own() -> None:
    torch.manual_seed(0)
    model = make(0).eval()
    before = {n: t.clone() for n, t in model.state_dict().items()}
    made, again, third = (narrowed(model, torch.zeros(2, 1, 8, 8), 0.5, 4, seed) for seed in (0, 0, 1))
    shapes = {n: t.shape for n, t in made.state_dict().items()}
    assert shapes["0.weight"][0] < 12
    assert shapes["3.weight"][0] < 24
    assert all(torch.equal(a, b) for a, b in zip(made.state_dict().values(), again.state_dict().values(), strict=True))
    assert not torch.equal(made[0].weight, third[0].weight)  # type: ignore[index, union-attr]
    assert all(torch.equal(t, before[n]) for n, t in model.state_dict().items())
    narrow = made[3].weight  # type: ignore[index]
    bound = 1 / (narrow.shape[1] * 9) ** 0.5  # of PyTorch's own first weights, at the fan-in of the narrow layer
    assert 0.8 * bound < float(narrow.detach().abs().max()) <= bound


def test_a_way_is_its_words() -> None:
    for body in BODIES:
        for taught in (False, True):
            for bits in ("", "ptq", "qat"):
                way = Way(body, taught, bits)
                assert parse(way.name) == way
                assert parse("+".join(reversed(way.name.split("+")))) == way
    assert parse("ptq") == Way("float", bits="ptq") == parse("float+ptq")
    assert len(set(DEFAULT)) == len(DEFAULT)
    assert chosen(None, True)[:2] == (Way("given"), Way("given", bits="ptq"))
    assert parse("pruned+distilled+ptq").needs == (
        "labels", "a training run", "the model as teacher", "samples without labels",
    )  # fmt: skip
    for name, said in (
        ("pruned+narrow", "name one architecture at most"),
        ("ptq+qat", "and ptq or qat, each word once"),
        ("given+qat", "nothing trains the model as it came"),
        ("", "join words of"),
    ):
        with pytest.raises(sv.InvalidInput, match=said):
            parse(name)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"model": 3}, "model is of type int: give an nn.Module, or a function of a seed that makes one"),
        ({"model": lambda seed: seed}, "model is a int: the function must return an nn.Module"),
        ({"model": nn.Linear(3, 10)}, "samples for model is of shape [N, 1, 8, 8]: the model fails on it: mat1"),
        (
            {"model": nn.Sequential(nn.Flatten(), nn.Linear(64, 9))},
            "model is with an output [9]: the data has 10: make",
        ),
        ({"efficient": lambda seed: nn.Flatten(2)}, "efficient is with an output [1, 64]: the data has 10: make"),
        ({"epochs": 0}, "epochs is 0: give a whole number, 1 or more"),
        ({"macs": 1.0}, "macs is 1.0: give the share of multiplications that stays"),
        ({"lr": -1}, "lr is -1: give a number above 0"),
        ({"loss": "hinge"}, "loss is hinge: give one of cross_entropy, mse"),
        ({"ways": "float"}, "ways is float: give a list of names"),
        ({"budget": "ram=1GiB"}, "budget ram is"),
        ({"data": 3}, "data is of type int: give a data set, or"),
        ({"data": [(np.ones((3, 2), "f4"), np.ones(3))] * 3}, "targets of train is of dtype float64"),
        ({"data": [(np.full((3, 2), np.nan, "f4"), np.ones(3, int))] * 3}, "data train is not finite"),
        ({"data": [(np.ones((3, n), "f4"), np.ones(3, int)) for n in (2, 3, 2)]}, "samples of validation"),
    ],
)
def test_bad_input_is_one_line(more: dict[str, Any], said: str) -> None:
    given = {"model": make, "data": digits(), "device": "nrf52832", **more}
    with pytest.raises(sv.InvalidInput) as error:
        sv.weigh(given.pop("model"), given.pop("data"), **given)
    assert said in str(error.value)


class Wild(nn.Module):
    """A network whose loss is not finite."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = self.last(x.flatten(1)) * float("inf")
        return made


def test_a_network_that_does_not_learn_is_a_row(folder: Path, found: Weighed) -> None:
    """And the refusal is kept too."""
    for _ in range(2):
        odd = sv.weigh(
            make, digits(), device="nrf52832", ways=["efficient+distilled"], epochs=2, seeds=1,
            efficient=lambda seed: Wild(), work=folder / "wild",
        )  # fmt: skip
        refused = odd["efficient+distilled"].refused
        assert refused.startswith("lr is 0.003: the loss became nan in epoch 1: lower it, as 0.0003"), refused
        assert odd["efficient+distilled"].mean is None
    with pytest.raises(sv.InvalidInput, match=r"out is .*: it is a file or holds files"):
        run(folder, Listening(), out=folder / "nets")
