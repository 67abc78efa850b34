"""The commands of the first ten minutes: try, inspect, zoo, doctor, compile; completion, help, and JSON of each."""

from __future__ import annotations

import ctypes
import json
import os
import pty
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import selvedge as sv
from selvedge import zoo
from selvedge.face import checkup, completion
from selvedge.face.checkup import works
from tests.data import folders

from .command import fresh, run


@pytest.fixture
def user(tmp_path: Path) -> Path:
    shutil.copy(Path(__file__).with_name("mine.py"), tmp_path)
    return tmp_path


def figures(user: Path, *arguments: str) -> Any:
    """The JSON of a command that ends well, and says nothing else."""
    result = run(*arguments, "--json", cwd=user)
    assert (result.code, result.err) == (0, ""), result
    return json.loads(result.out)


def lines(user: Path, *arguments: str) -> list[str]:
    result = run(*arguments, cwd=user)
    assert (result.code, result.err) == (0, ""), result
    return result.out.splitlines()


# try


def test_a_trial_sets_the_plan_beside_its_baselines(user: Path) -> None:
    folders.digits(user / "digits", 30)
    made = figures(
        user, "try", "mine.py:digits", "--data", "digits", "--device", "nrf52832", "--epochs", "12", "--plot", "t.html",
        "--out", "kept",
    )  # fmt: skip
    rows = {row["name"]: row for row in made["rows"]}
    guess, came, last, planned, unlimited = rows.values()
    assert list(rows)[3:] == ["Selvedge, as planned", "PyTorch, all of it, no limit"]
    assert guess["test"]["accuracy"] == 0.1
    assert came["test"]["accuracy"] < 0.4
    assert 0.3 < last["test"]["accuracy"] <= planned["test"]["accuracy"] + 0.1
    assert planned["test"]["accuracy"] > 0.75
    assert unlimited["test"]["accuracy"] > 0.75
    assert made["arena_measured"] == made["arena_predicted"] == planned["arena"] == made["plan"]["arena_bytes"]
    assert came["arena"] < last["arena"] < planned["arena"] <= made["plan"]["budget_ram_bytes"]
    assert min(last["step_s"], planned["step_s"], unlimited["step_s"], planned["device_s"]) > 0
    assert made["device_step_joules"] > 0
    assert (
        made["data"]["split"] == {"train": 200, "validation": 50, "test": 50}
        or sum(made["data"]["split"].values()) == 300
    )
    assert any("selvedge predict kept" in line for line in made["next"])
    assert sv.load(user / "kept").manifest.labels == tuple("0123456789")
    page = (user / "t.html").read_text()
    for part in ("Side by side", "While it learns", "Memory of a step", "Cost of a step"):
        assert part in page


def test_a_trial_reads_well(user: Path) -> None:
    folders.flowers(user / "flowers.csv")
    line = ("try", "mine.py:table", "--data", "flowers.csv:drop=subject", "--device", "stm32f746", "--epochs", "3")
    shown = lines(user, *line)
    text = "\n".join(shown)
    assert shown[0].startswith("flowers.csv: 60 rows, 2 classes as [2]; ")
    assert re.search(r"RAM ([\d,]+) B predicted, \1 B measured here, of 319,488 B; stack [\d,]+ B", text)
    assert re.search(r"energy not known", text)
    for row in ("guessing the most frequent class", "the model as it came", "last layer only", "Selvedge, as planned"):
        assert any(part.startswith(row) for part in shown), row
    again = "next: selvedge train mine.py:table --data flowers.csv:drop=subject --device stm32f746 --epochs 3"
    assert f"{again} --out model/" in shown
    assert max(map(len, shown)) <= 120


def test_where_not_all_learns_it_says_what_would_let_more(user: Path) -> None:
    """At a rate that suits the batch the plan learns; and the options that are named do let more learn."""
    folders.digits(user / "digits", 30)
    asked = ("mine.py:deep", "--data", "digits", "--device", "stm32f746", "--budget", "ram=54KiB", "--epochs", "4")
    tried = figures(user, "try", *asked)
    assert tried["plan"]["update"] == "last:2"
    assert tried["plan"]["optimizer"]["lr"] == pytest.approx(0.00125 * tried["batch"])
    rows = {row["name"]: row for row in tried["rows"]}
    assert rows["Selvedge, as planned"]["test"]["accuracy"] > 0.8
    words, said = tried["more"].split(" would let more learn here: full in ")
    assert said.endswith(", not last:2")
    assert words.startswith("--optimizer sgd:lr=0.00125,momentum=0.9,state=int8")
    trained = figures(user, "train", *asked, *words.split())
    assert trained["plan"]["update"] == "full"
    assert tried["more"] in "\n".join(tried["next"])


def test_what_comes_next_is_the_same_training(user: Path) -> None:
    """The line that a trial ends with, given to the shell, trains what the trial has trained."""
    folders.flowers(user / "my flowers.csv")
    shutil.copy(user / "mine.py", user / "my own.py")
    asked = (
        "my own.py:table", "--data", "my flowers.csv:drop=subject", "--device", "stm32f746", "--epochs", "2", "--batch",
        "4", "--optimizer", "adam:lr=0.01,betas=0.8/0.99,decoupled=true", "--update", "last:1", "--seed", "3",
    )  # fmt: skip
    tried = figures(user, "try", *asked)
    line = next(line for line in tried["next"] if line.startswith("next: selvedge train"))
    trained = figures(user, *shlex.split(line.removeprefix("next: selvedge ")))
    for what in ("optimizer", "schedule", "batch", "update", "arena_bytes"):
        assert trained["plan"][what] == tried["plan"][what]
    assert trained["training"]["best"] == tried["training"]["best"]
    assert trained["test"] == next(row["test"] for row in tried["rows"] if row["name"] == "Selvedge, as planned")


def test_a_trial_of_values_and_of_reconstruction(user: Path) -> None:
    folders.flowers(user / "flowers.csv")
    (user / "more.py").write_text(
        "import torch\n"
        "def value(): return torch.nn.Linear(1, 1)\n"
        "def auto(): return torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.Linear(1, 2))\n"
        "def one(): return torch.nn.Linear(2, 1)\n"
    )
    data = "flowers.csv:label=width,drop=label+subject"
    more = ("--device", "stm32f746", "--epochs", "15")
    for model, spec, loss in (
        ("value", data, "mse"),
        ("auto", "flowers.csv:drop=subject", "reconstruction"),
        ("one", "flowers.csv:drop=subject", "bce_with_logits"),
    ):
        made = figures(user, "try", f"more.py:{model}", "--data", spec, "--loss", loss, *more)
        rows = {row["name"]: row["test"] for row in made["rows"]}
        guess = made["rows"][0]["test"]
        assert (guess["accuracy"] is None) == (loss != "bce_with_logits")
        for name in ("Selvedge, as planned", "PyTorch, all of it, no limit"):
            assert rows[name]["loss"] < guess["loss"], (loss, name)


# inspect


def test_inspect_counts_what_pytorch_counts(user: Path) -> None:
    made = figures(user, "inspect", "zoo:resnet8")
    model, example, _ = zoo.make("resnet8")
    assert made["parameters"] == sum(p.numel() for p in model.parameters())
    assert made["supported"] is True
    assert made["missing"] == []
    assert sum(layer["parameters"] for layer in made["layers"]) == made["parameters"]
    shapes: dict[str, list[int]] = {}
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            module.register_forward_hook(lambda m, x, y, name=name: shapes.update({name: list(y.shape)}))
    model.eval()(example)
    found = {layer["name"]: layer["shape"] for layer in made["layers"][1:]}
    assert found == shapes
    plan = sv.plan(model, example, device=sv.Device(name="big", ram="1GiB", flash="1GiB"))
    assert made["macs"] == plan.arrangement.programs["predict"].macs
    assert [layer["trains"] for layer in made["layers"][1:]] == [f"last:{k}" for k in range(10, 0, -1)]


def test_last_k_is_what_inspect_says(user: Path) -> None:
    """The name beside "last:K" is where the update of that policy begins."""
    made = figures(user, "inspect", "mine.py:digits", "--input", "1x1x8x8")
    assert [(layer["name"], layer["trains"]) for layer in made["layers"][1:]] == [("0", "last:2"), ("5", "last:1")]
    plan = figures(user, "plan", "mine.py:digits", "--input", "1x1x8x8", "--update", "last:1", "--device", "stm32f746")
    assert plan["updated"] == ["5.weight", "5.bias"]


def test_inspect_names_every_missing_operator_with_its_line(user: Path) -> None:
    source = Path(__file__).with_name("mine.py").read_text().splitlines()
    made = figures(user, "inspect", "mine.py:missing")
    assert made["supported"] is False
    found = {m["op"]: m["where"] for m in made["missing"]}
    for op, code in (
        ("aten.sort.default", "x = torch.sort(self.head(x), 1)[0]"),
        ("aten.fft_fft.default", "return torch.fft.fft(x).abs()"),
    ):
        line = next(i for i, text in enumerate(source, 1) if text.strip() == code)
        assert found[op] == f"mine.py:{line}: {code}"
    shown = lines(user, "inspect", "mine.py:missing")
    assert "cannot be captured yet:" in shown


def test_inspect_draws(user: Path) -> None:
    shown = lines(user, "inspect", "mine.py:narrow", "--plot", "i.html")
    assert max(map(len, shown)) <= 100
    assert "Memory of a full step" in (user / "i.html").read_text()


# zoo


# All of them take minutes to plan: SELVEDGE_FULL=1 lists them all.
LISTED = () if os.environ.get("SELVEDGE_FULL") == "1" else ("ds_cnn", "har_fcn?width=0.25&length=64", "keyword_gru")


def test_the_zoo_lists_what_plans_say(user: Path) -> None:
    made = figures(user, "zoo", *LISTED)
    assert [row["name"] for row in made] == list(LISTED or zoo.names())
    for row in made:
        model, example, loss = zoo.make(row["name"])
        assert row["input"] == list(example.shape[1:])
        assert row["parameters"] == sum(p.numel() for p in model.parameters())
        device = sv.Device(name="big", ram="1023GiB", flash="1023GiB")
        planned: tuple[int | None, ...] = (None, None, None)
        missing = None
        try:
            plan = sv.plan(model, example, loss=loss, device=device)
        except sv.NotSupported as error:
            missing = error.op
        else:
            predict = plan.arrangement.programs["predict"]
            planned = (predict.macs, predict.transient_bytes, plan.arena_bytes)
        assert (row["macs"], row["arena_run_bytes"], row["arena_train_bytes"]) == planned
        assert missing in row["missing"] if missing else row["missing"] == []


def test_the_zoo_has_figures_of_recurrent_models(user: Path) -> None:
    (row,) = figures(user, "zoo", "char_gru?length=4")
    assert row["missing"] == []
    assert (row["dtype"], row["input"], row["classes"]) == ("int32", [4], 96)
    shown = lines(user, "zoo", "zoo:char_gru", "deep_autoencoder?norm=none")
    assert max(map(len, shown)) <= 120
    assert re.fullmatch(r"char_gru +64 +77,664 +4,718,592 +[\d.]+ KiB +[\d.]+ [KM]iB  classes, .*", shown[1])
    assert re.fullmatch(f"{' ' * shown[1].index('classes')}[a-z, ]+", shown[2])  # its options go on below
    assert shown[1].rpartition("  ")[2] + " " + shown[2].strip() == "classes, embedding, hidden, layers, length"
    assert re.fullmatch(r"deep_autoencoder\?norm=none +640 +265,864 +264,192 +[\d.]+ KiB +1 MiB  norm", shown[3])


# doctor


def test_the_doctor_finds_what_is_here(user: Path) -> None:
    made = figures(user, "doctor")
    assert made["works"] is True
    assert made["cores"] == os.cpu_count()
    checks = {c["name"]: c for c in made["checks"]}
    assert checks["torch"]["found"] == torch.__version__
    assert checks["C compiler"]["ok"] is True
    for check in checks.values():
        assert check["ok"] or check["install"], check
    assert lines(user, "doctor")[-1] == "the core works"


def test_the_doctor_says_what_installs_what_is_missing(user: Path, tmp_path: Path) -> None:
    """Nothing is on the path, and the cache is a file."""
    (tmp_path / "blocked").write_text("")
    nowhere = {"PATH": str(tmp_path / "bin"), "XDG_CACHE_HOME": str(tmp_path / "blocked")}
    result = fresh("doctor", "--json", cwd=user, env=nowhere)
    assert result.code == 1, result
    made = json.loads(result.out)
    checks = {c["name"]: c for c in made["checks"]}
    assert made["works"] is False
    assert checks["cache"]["ok"] is False
    assert checks["arm-none-eabi-gcc"]["install"] == {
        "apt": "apt install gcc-arm-none-eabi libnewlib-arm-none-eabi",
        "brew": "brew install --cask gcc-arm-embedded",
    }
    assert checks["C compiler"]["install"]["brew"] == "xcode-select --install"
    assert checks["C compiler"]["install"]["pip"] == "pip install ziglang"
    text = fresh("doctor", cwd=user, env=nowhere)
    assert text.code == 1
    assert "MISSING  cache" in text.out
    assert "apt install qemu-system-arm" in text.out
    assert text.out.splitlines()[-1] == "the core does not work: install what is MISSING"


def test_a_compiler_that_makes_nothing_is_no_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "cc"
    fake.write_text(
        "#!/bin/sh\n[ \"$1\" = --version ] && echo 'fake 1.0' || { echo 'error: no headers' >&2; exit 1; }\n"
    )
    fake.chmod(0o755)
    found = {c.name: c for c in checkup.checkup(path=str(tmp_path))}
    assert found["C compiler"].ok is False
    assert "no headers" in found["C compiler"].found
    assert not works(list(found.values()))


# compile


def test_compile_writes_an_artifact_and_a_library(user: Path) -> None:
    made = figures(user, "compile", "mine.py:narrow", "--device", "stm32f746", "--out", "made", "--batch", "2")
    assert made["library"] == "made/libnarrow.so"
    dll = ctypes.CDLL(str(user / "made" / "libnarrow.so"))
    assert dll.narrow_step
    assert dll.narrow_init
    session = sv.load(user / "made")
    assert session.manifest.batch == 2
    assert session.manifest.digest == made["digest"]
    again = figures(user, "compile", "mine.py:narrow", "--device", "stm32f746", "--batch", "2")
    assert Path(again["library"]).is_file()
    assert again["out"] is None


# the command line itself


def test_the_help_documents_exit_codes() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "selvedge", "--help"], capture_output=True, text=True, check=True,
        env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip
    assert "0 done; 1 a fault of ours; 2 bad input, or it does not fit; 130 interrupted" in done.stdout
    for command in ("plan", "compile", "train", "predict", "inspect", "try", "devices", "zoo", "doctor", "demo"):
        assert re.search(rf"^│ {command} ", done.stdout, re.MULTILINE), command


def completed(line: str, cwd: Path) -> list[str]:
    """What bash would offer at the end of ``line``."""
    words = line.split(" ")
    environment = {
        **os.environ,
        "_SELVEDGE_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    done = subprocess.run(
        [sys.executable, "-c", "from selvedge.face.cli import main; main()"],
        capture_output=True, text=True, cwd=cwd, env=environment, check=False,
    )  # fmt: skip
    return done.stdout.split()


def test_the_shell_completes_devices_and_models(user: Path) -> None:
    (user / "board.toml").write_text("")
    assert set(sv.device.devices()) <= set(completed("selvedge plan zoo:resnet8 --device ", user))
    assert completed("selvedge train mine.py:digits --device stm32f7", user) == ["stm32f746"]
    assert completed("selvedge plan m --device boa", user) == ["board.toml"]
    assert set(completed("selvedge plan zoo:", user)) == {f"zoo:{n}" for n in zoo.names()}
    assert completed("selvedge inspect mi", user) == ["mine.py"]
    assert completed("selvedge try m --data d --update last", user) == ["last:1", "last:2", "last:3"]
    assert completed("selvedge doc", user) == ["doctor"]


def test_the_completion_knows_the_whole_zoo() -> None:
    assert zoo.names() == completion.ZOO


def test_completing_imports_no_torch() -> None:
    code = (
        "import sys; from selvedge.face import cli, completion\n"
        "completion.devices(''); completion.models(''); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def on_a_terminal(user: Path, *command: str) -> tuple[str, str]:
    """(stdout, what a terminal shows of stderr) of a command that ends well."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "selvedge", *command], cwd=user, stdout=subprocess.PIPE, stderr=theirs, text=True,
        env={**os.environ, "TERM": "xterm"},
    ) as process:  # fmt: skip
        os.close(theirs)
        shown = b""
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # the terminal's other end is closed
                break
            if not part:
                break
            shown += part
        assert process.stdout is not None
        printed = process.stdout.read()
    os.close(ours)
    assert process.returncode == 0
    return printed, shown.decode()


def test_a_bar_on_a_terminal_and_json_alone_on_stdout(user: Path) -> None:
    """stderr is a terminal, stdout is not: the bar goes to the one, figures to the other."""
    folders.digits(user / "digits", 6)
    command = ("train", "mine.py:digits", "--data", "digits", "--device", "stm32f746", "--epochs", "2", "--json")
    printed, shown = on_a_terminal(user, *command)
    assert json.loads(printed)["training"]["ended"] == "done"
    assert "looking at the data" in shown or "planning" in shown


def test_the_bar_counts_the_plans_of_a_search(user: Path) -> None:
    on = ("--input", "1x1x8x8", "--device", "stm32f746", "--budget", "ram=4KiB", "--update", "auto")
    printed, shown = on_a_terminal(user, "plan", "mine.py:digits", *on)
    assert printed.startswith("digits on stm32f746")
    assert "planning" in shown
    assert (
        int(re.findall(r"(\d+) made", shown)[-1]) > 1
    )  # what it ends with: those between may be too quick to be drawn
