"""The command line says what the library returns: figures that add up, the same plan by every way to name a model."""

from __future__ import annotations

import json
import shutil
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import selvedge as sv
from selvedge import zoo
from tests.formats.tflite.test_read import published
from tests.oracle import FIVE

from .command import fresh, main

NET = Path(__file__).with_name("net.py")
Cli = Callable[..., str]


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """``cli(arguments...)``: standard output of a command that ends well, in a directory of its own."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> str:
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        printed = capsys.readouterr()
        assert (stop.value.code, printed.err) == (0, "")
        return printed.out

    return call


@pytest.fixture
def board(tmp_path: Path) -> str:
    """A user's own profile, with memory to spare."""
    path = tmp_path / "board.toml"
    path.write_text(
        'ram = "64MiB"\nreserved_ram = "1MiB"\nflash = "64MiB"\nvector_bytes = 16\n'
        "[throughput]\nfloat32 = 1e9\n[bandwidth]\nram = 1e9\nflash = 1e8\n"
    )
    return str(path)


FIGURES: dict[str, type] = {
    "model": str,
    "device": str,
    "update": str,
    "updated": list,
    "arena_bytes": int,
    "persistent_bytes": int,
    "transient_bytes": int,
    "lower_bound_bytes": int,
    "lower_bound_any_order_bytes": int,
    "weights_bytes": int,
    "budget_ram_bytes": int,
    "macs": int,
    "bytes_moved": int,
    "nodes": int,
    "kernels": int,
    "seconds_to_plan": float,
    "seconds_per_step": float,
    "programs": dict,
    "choices": list,
    "digest": str,
}


def assert_figures(made: dict[str, Any]) -> None:
    for name, kind in FIGURES.items():
        assert type(made[name]) is kind, name
    assert made["arena_bytes"] == made["persistent_bytes"] + made["transient_bytes"]
    assert made["lower_bound_any_order_bytes"] <= made["lower_bound_bytes"] <= made["arena_bytes"]
    assert made["arena_bytes"] <= made["budget_ram_bytes"]
    assert made["transient_bytes"] == max(p["transient_bytes"] for p in made["programs"].values())
    learning, parts = set(made["programs"]) - {"predict", "evaluate"}, made["accumulate"]
    assert learning == ({"step"} if parts == 1 else {"accumulate", "apply"})
    made_of = {name: made["programs"][name]["macs"] for name in learning}
    assert made["macs"] == sum((1 if name == "apply" else parts) * macs for name, macs in made_of.items())
    assert made["macs"] >= made["programs"]["predict"]["macs"] > 0
    assert made["seconds_to_plan"] > 0
    assert made["seconds_per_step"] > 0
    assert made["updated"]
    assert made["nodes"] >= made["kernels"] > 0
    assert all(set(c) == {"what", "why"} for c in made["choices"])


def columns(text: str) -> int:
    """Of the longest line, in a terminal."""
    return max(sum(0 if unicodedata.combining(c) else 1 for c in line) for line in text.splitlines())


@pytest.mark.parametrize("spec", FIVE)
def test_the_zoo_plans(cli: Cli, board: str, spec: str) -> None:
    made = json.loads(cli("plan", f"zoo:{spec}", "--device", board, "--json"))
    assert_figures(made)
    model, _, _ = zoo.make(spec)
    assert made["model"] == spec.partition("?")[0]
    assert made["updated"] == [n for n, p in model.named_parameters() if p.requires_grad]
    assert (made["device"], made["update"], made["joules_per_step"]) == ("board", "full", None)


def test_options_reach_the_plan(cli: Cli, board: str) -> None:
    def plan(*options: str) -> dict[str, Any]:
        made = json.loads(cli("plan", "zoo:ds_cnn", "--device", board, "--json", *options))
        assert_figures(made)
        return made

    one, two = plan(), plan("--batch", "2")
    assert (two["macs"], two["updated"]) == (2 * one["macs"], one["updated"])
    assert plan("--optimizer", "adam")["persistent_bytes"] > 2.9 * one["persistent_bytes"]
    assert plan("--optimizer", "sgd:lr=0.1,momentum=0.9")["persistent_bytes"] == 2 * one["persistent_bytes"]
    assert plan("--optimizer", "sgd:lr=0.1,clip_value=1")["persistent_bytes"] == one["persistent_bytes"]
    small = plan("--optimizer", "adam:lr=0.1,state=int8,clip_norm=1")
    assert (small["optimizer"]["state_dtype"], small["optimizer"]["clip_norm"]) == ("int8", 1.0)
    assert one["persistent_bytes"] < small["persistent_bytes"] < 1.7 * one["persistent_bytes"]
    divided = plan("--batch", "8", "--accumulate", "4")
    assert (divided["batch"], divided["micro_batch"], divided["accumulate"]) == (8, 2, 4)
    assert len(plan("--norms", "folded")["updated"]) < len(one["updated"])
    assert plan("--update", "last:1")["updated"] == one["updated"][-2:]
    assert all(name.endswith("bias") for name in plan("--update", "bias")["updated"])
    assert plan("--update", one["updated"][0])["updated"] == one["updated"][:1]
    small = plan("--budget", "ram=200KiB", "--update", "auto")
    assert small["budget_ram_bytes"] == 200 << 10
    assert small["update"] in {"bias"} | {f"last:{k}" for k in range(1, 20)}
    assert [c["what"] for c in small["choices"]][:1] == ["update full"]
    assert "chosen" in [c["what"] for c in small["choices"]]


def figures(made: dict[str, Any]) -> dict[str, Any]:
    """All but the name and the time it took, and the digest: an exported program numbers its state otherwise."""
    return {k: v for k, v in made.items() if k not in ("model", "seconds_to_plan", "digest")}


def test_a_file_and_an_exported_program_plan_as_the_zoo_does(cli: Cli, board: str, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("from selvedge.zoo import make\n\ndef net():\n    return make('ds_cnn')[:2]\n")
    model, example, _ = zoo.make("ds_cnn")
    torch.export.save(torch.export.export(model.eval(), (example,)), "exported.pt2")
    from_zoo, from_file, from_export = (
        json.loads(cli("plan", spec, "--device", board, "--json"))
        for spec in ("zoo:ds_cnn", "own.py:net", "exported.pt2")
    )
    assert figures(from_zoo) == figures(from_file) == figures(from_export)
    assert [made["model"] for made in (from_zoo, from_file, from_export)] == ["ds_cnn", "own", "exported"]


def test_a_file_imports_what_lies_beside_it(cli: Cli, board: str, tmp_path: Path) -> None:
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "torch_layers.py").write_text("from torch.nn import Linear\n")
    (tmp_path / "deeper" / "json.py").write_text(
        "import json, torch_layers\n\ndef net():\n    assert json.dumps(1)\n    return torch_layers.Linear(4, 2)\n"
    )
    assert json.loads(cli("plan", "deeper/json.py:net", "--input", "3x4", "--device", board, "--json"))["macs"] > 0


def test_what_a_model_prints_does_not_spoil_the_figures(
    board: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(NET.parent)
    with pytest.raises(SystemExit):
        main(["plan", "net.py:talking", "--input", "1x4", "--device", board, "--json"])
    printed = capsys.readouterr()
    assert_figures(json.loads(printed.out))
    assert printed.err == "forward is traced\n"


def test_an_artifact_written_by_the_command_runs(cli: Cli, board: str, tmp_path: Path) -> None:
    shutil.copy(NET, tmp_path)
    torch.manual_seed(0)
    x, y = torch.randn(2, 4), torch.tensor([0, 2])
    text = cli("plan", "net.py:paired", "--device", board, "--optimizer", "sgd:lr=0.5", "--seed", "3", "--out", "made")
    assert text.endswith("written to made\n")
    session = sv.load("made", cache=tmp_path / "cache")
    torch.manual_seed(3)
    own = torch.nn.Linear(4, 3)
    np.testing.assert_allclose(session.predict(x), own(x).detach().numpy(), rtol=1e-5, atol=1e-6)
    loss = torch.nn.functional.cross_entropy(own(x), y)
    loss.backward()
    assert session.step(x, y) == pytest.approx(loss.item(), rel=1e-5)
    expected = (own.weight - 0.5 * own.weight.grad).detach().numpy()
    np.testing.assert_allclose(session.state_dict()["head.weight"], expected, rtol=1e-5, atol=1e-6)


def test_the_tables_fit_in_a_hundred_columns(cli: Cli, board: str) -> None:
    wide = ("plan", "zoo:mobilenet_v2?width=0.35&resolution=96", "--device", board)
    assert columns(cli(*wide)) <= 100
    text = cli("plan", "zoo:ds_cnn", "--device", board, "--update", "auto", "--budget", "ram=200KiB")
    assert columns(text) <= 100
    assert text.startswith("ds_cnn on board: SGD, update ")
    assert "why:" in text
    assert "as many last layers as fit" in text
    assert columns(cli("devices")) <= 100
    for device in sv.device.devices():
        if device != "this-machine":
            assert columns(cli("devices", device)) <= 100


def test_devices_are_listed_and_shown_with_their_sources(cli: Cli, board: str) -> None:
    listing = cli("devices")
    listed = json.loads(cli("devices", "--json"))
    assert [d["name"] for d in listed] == list(sv.device.devices()[:-1])
    assert {"nrf52832", "raspberry-pi-zero-2w", "stm32f446", "stm32f746"} <= {d["name"] for d in listed}
    for d in listed:
        assert f"{d['name']:<24}" in listing
        shown = json.loads(cli("devices", d["name"], "--json"))
        assert shown == d
        text = cli("devices", d["name"])
        assert all(source["kind"] in text for source in d["sources"])
    own = json.loads(cli("devices", board, "--json"))
    assert (own["name"], own["ram"], own["reserved_ram"]) == ("board", 64 << 20, 1 << 20)


def test_this_machine_is_the_default_device(cli: Cli, tmp_path: Path) -> None:
    shutil.copy(NET, tmp_path)
    made = json.loads(cli("plan", "net.py:paired", "--json"))
    assert_figures(made)
    assert made["device"] == "this-machine"


def test_help_names_every_option_and_command(cli: Cli) -> None:
    top, plan = cli("--help"), cli("plan", "--help")
    assert all(word in top for word in ("plan", "devices", "demo", "--version", "--debug"))
    assert all(
        word in plan
        for word in (
            "zoo:",
            "file.py:factory",
            ".pt2",
            "--device",
            "--budget",
            "--batch",
            "--accumulate",
            "--update",
            "--optimizer",
        )
    )
    assert all(word in plan for word in ("--norms", "--loss", "--input", "--out", "--json", "--seed"))


def test_the_version_is_printed(cli: Cli, tmp_path: Path) -> None:
    assert cli("--version") == f"selvedge {sv.__version__}\n"
    assert fresh("--version", cwd=tmp_path).out == f"selvedge {sv.__version__}\n"


def test_without_a_command_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([])
    printed = capsys.readouterr()
    assert (stop.value.code, printed.err) == (2, "")
    assert "Usage" in printed.out


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(sv.InvalidInput, match="device is nowhere"):
        main(["--debug", "plan", "zoo:resnet8", "--device", "nowhere"])


@pytest.mark.parametrize(
    ("file", "factory", "more", "name"),
    [
        ("gesture.py", "make", (), "gesture"),
        ("gesture-2.py", "net", (), "gesture_2"),
        ("gesture.py", "classifier", (), "classifier"),
        ("gesture.py", "make", ("--name", "own"), "own"),
        ("conv.py", "make", (), "make"),  # the kernels have a file of that name
    ],
)
def test_what_is_written_is_named_after_the_file_where_the_function_says_nothing(
    cli: Cli, board: str, file: str, factory: str, more: tuple[str, ...], name: str
) -> None:
    Path(file).write_text(f"from torch import nn\n\n\ndef {factory}():\n    return nn.Linear(4, 2)\n")
    cli("compile", f"{file}:{factory}", "--input", "1x4", "--device", board, "--target", "c", "--out", "made", *more)
    assert Path("made", f"{name}.c").is_file()


@pytest.mark.parametrize("ending", ["tflite", "onnx"])
def test_a_networks_file_is_inspected_and_planned(ending: str, cli: Cli, tmp_path: Path) -> None:
    source = published("keyword_spotting", "kws_ref_model")
    network = sv.load_tflite(source, name="words")
    path = tmp_path / f"words.{ending}"
    if ending == "onnx":
        sv.save_onnx(network, path)
    else:
        shutil.copy(source, path)
    looked = json.loads(cli("inspect", str(path), "--json"))
    assert (looked["model"], looked["rows"]["int8_conv2d"]) == ("words", 9)
    assert "int8_conv2d" in cli("inspect", str(path))
    said = json.loads(cli("plan", str(path), "--device", "stm32f446", "--json"))
    plan = sv.plan_inference(sv.load_onnx(path) if ending == "onnx" else network, device="stm32f446")
    assert (said["arena_bytes"], said["macs"]) == (plan.arena_bytes, plan.cost.macs)
    assert "written to" in cli("plan", str(path), "--out", str(tmp_path / "firmware"))
    with pytest.raises(SystemExit):
        main(["plan", str(path), "--update", "bias"])
