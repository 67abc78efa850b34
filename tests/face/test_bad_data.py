"""Whatever a newcomer gets wrong with their own data: one line that says what to do, exit 2, nothing left behind."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.data.folders import digits, flowers, tones

from .command import run
from .test_bad_input import assert_one_line, files

HERE = Path(__file__).parent
ON = ("--device", "stm32f746", "--epochs", "1")
MADE = ("--out", "made")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What all cases share, written once: a user's folder with good data and bad."""
    folder = tmp_path_factory.mktemp("user")
    for name in ("mine.py", "loaders.py"):
        shutil.copy(HERE / name, folder)
    (folder / "broken.py").write_text("import nowhere_to_be_found\n")
    digits(folder / "digits", 4)
    tones(folder / "tones", 4)
    flowers(folder / "flowers.csv")
    shutil.copytree(folder / "digits", folder / "corrupt")
    (folder / "corrupt" / "4" / "00.png").write_bytes(b"\x89PNG\r\n\x1a\n but no more")
    shutil.copytree(folder / "digits", folder / "hollow")
    (folder / "hollow" / "cat").mkdir()
    shutil.copytree(folder / "digits", folder / "loose")
    shutil.copy(next((folder / "digits" / "1").iterdir()), folder / "loose" / "one.png")
    shutil.copytree(folder / "digits" / "1", folder / "flat")
    shutil.copytree(folder / "digits" / "1", folder / "single" / "one")
    shutil.copytree(folder / "digits", folder / "scarce")
    for path in sorted((folder / "scarce" / "7").iterdir())[2:]:
        path.unlink()
    shutil.copytree(folder / "tones", folder / "mixed")
    shutil.copytree(folder / "digits" / "1", folder / "mixed" / "one")
    shutil.copytree(folder / "tones", folder / "rates")
    whole = bytearray((folder / "rates" / "low" / "low_a_0.wav").read_bytes())
    whole[24:28] = (16000).to_bytes(4, "little")
    (folder / "rates" / "low" / "low_a_0.wav").write_bytes(whole)
    shutil.copytree(folder / "tones", folder / "float")
    whole = bytearray((folder / "float" / "low" / "low_a_0.wav").read_bytes())
    whole[20] = 3
    (folder / "float" / "low" / "low_a_0.wav").write_bytes(whole)
    (folder / "songs").mkdir()
    (folder / "songs" / "a.mp3").write_bytes(b"ID3")
    (folder / "empty").mkdir()
    text = (folder / "flowers.csv").read_text().splitlines()
    (folder / "nan.csv").write_text("\n".join([*text[:7], text[7].replace(text[7].split(",")[1], "nan"), *text[8:]]))
    (folder / "ragged.csv").write_text("\n".join([*text[:7], text[7] + ",1", *text[8:]]))
    (folder / "words.csv").write_text("a,b,label\n1,red,x\n2,blue,y\n")
    (folder / "head.csv").write_text("1,2\n3,4\n")
    (folder / "latin.csv").write_bytes("größe,label\n1,x\n2,y\n".encode("latin-1"))
    np.savez(folder / "good.npz", x=np.zeros((30, 2), np.float32), y=np.arange(30) % 3)
    np.savez(folder / "names.npz", images=np.zeros((3, 2)))
    np.savez(folder / "short.npz", x=np.zeros((3, 2)), y=np.zeros(2))
    np.savez(folder / "silent.npz", x=np.zeros((30, 2), np.float32))
    (folder / "bad.npz").write_bytes(b"PK\x03\x04 and nothing")
    (folder / "notes.txt").write_text("hello")
    assert run("train", "mine.py:digits", "--data", "digits", *ON, "--out", "model", cwd=folder).code == 0
    assert run("train", "loader", "--data", "digits", cwd=folder).code == 2
    good = json.loads((folder / "model" / "manifest.json").read_text())
    for name, change in (
        ("foreign", {"format": 99}),
        ("huge", {"features": {**good["features"], "width": 10**9}}),
        ("unknown", {"features": {"kind": "shell", "command": "rm"}}),
        ("swapped", {"features": {**good["features"], "shape": [8, 8, 1]}}),
    ):
        shutil.copytree(folder / "model", folder / name)
        (folder / name / "manifest.json").write_text(json.dumps({**good, **change}))
    shutil.copytree(folder / "model", folder / "altered")
    weights = bytearray((folder / "altered" / "weights.bin").read_bytes())
    weights[0] ^= 1
    (folder / "altered" / "weights.bin").write_bytes(weights)
    (folder / "old.checkpoint.npz").write_bytes(b"half")
    return folder


def train(model: str, data: str, *more: str) -> tuple[str, ...]:
    return ("train", model, "--data", data, *ON, *MADE, *more)


def on_digits(*more: str) -> tuple[str, ...]:
    return train("mine.py:digits", "digits", *more)


CASES: list[tuple[tuple[str, ...], tuple[str, ...]]] = [
    # where the data is
    (train("mine.py:digits", "nowhere"), ("--data is nowhere", "no such file or folder", ".npz")),
    (train("mine.py:digits", "a" * 300 + ":limit=3"), ("--data is aaa", "no such file or folder")),
    (train("mine.py:digits", ""), ("--data is empty", "no such file or folder")),
    (train("mine.py:digits", "notes.txt"), ("notes.txt", "a folder of images, sounds or CSV")),
    (train("mine.py:digits", "empty"), ("--data is empty", "no images", "no .wav")),
    (train("mine.py:digits", "songs"), ("songs", ".mp3", "ffmpeg -i a.mp3 a.wav")),
    (train("mine.py:digits", "mixed"), ("mixed", "images and sounds", ":kind=images")),
    (train("mine.py:digits", "digits:kind=sounds"), ("--data kind is sounds", "images")),
    (train("mine.py:digits", "digits:colour=red"), ("--data option is colour", "pattern")),
    (train("mine.py:digits", "digits:limit=2,limit=3"), ("--data option is limit", "once")),
    (train("mine.py:digits", "digits:limit=few"), ("--data limit is few", "whole number")),
    (train("mine.py:digits", "digits:test=2"), ("--data test is 2", "between 0 and 0.9")),
    (train("mine.py:digits", "digits:test=0.5,validation=0.5"), ("leave training most",)),
    (train("mine.py:digits", "digits:normalise=much"), ("--data normalise is much", "standard, unit, none")),
    (train("mine.py:digits", "digits:memory=lots"), ("--data memory is lots", "512MiB")),
    (train("mine.py:digits", "digits:pattern=x"), ("--data pattern is x", "{label}")),
    (train("mine.py:digits", "digits:pattern={label}_{group}.png"), ("does not fit it", "mend the pattern")),
    # images
    (train("mine.py:digits", "corrupt"), ("corrupt/4/00.png", "cannot be read", "replace it or remove it")),
    (train("mine.py:digits", "hollow"), ("class folder is hollow/cat", "holds no images", "remove it")),
    (train("mine.py:digits", "loose"), ("loose/one.png", "outside the classes' folders")),
    (train("mine.py:digits", "flat"), ("which class an image is of", "pattern=")),
    (train("mine.py:digits", "single"), ("classes is one", "at least two")),
    (train("mine.py:digits", "scarce"), ("2 of class 7", "at least 3")),
    # sounds
    (train("mine.py:bands", "rates"), ("low_a_0.wav", "16000 Hz", "ffmpeg -i in.wav -ar 8000")),
    (train("mine.py:bands", "float"), ("low_a_0.wav", "pcm_s16le")),
    (train("mine.py:bands", "tones:features=mfcc"), ("--data features is mfcc", "logmel, wave")),
    (train("mine.py:bands", "tones:bands=13"), ("--data bands is 13", "20")),
    (train("mine.py:bands", "tones:memory=1KiB"), ("8 sounds", "needs 20,480 B of memory")),
    (train("mine.py:bands", "tones:seconds=-1"), ("--data seconds is -1",)),
    # tables
    (train("mine.py:table", "nan.csv:drop=subject"), ("nan.csv row 8 column length is nan", "drop=length")),
    (train("mine.py:table", "ragged.csv:drop=subject"), ("row 8 has 6 cells, the first has 5",)),
    (train("mine.py:table", "words.csv"), ("words.csv row 2 column b is red", "drop=b")),
    (train("mine.py:table", "head.csv"), ("first row is numbers", "column names")),
    (train("mine.py:table", "latin.csv"), ("--data is latin.csv", "save it as CSV in UTF-8")),
    (train("mine.py:table", "flowers.csv:label=species"), ("--data label is species", "length")),
    (train("mine.py:table", "flowers.csv:group=who,drop=subject"), ("--data group is who",)),
    (train("mine.py:table", "flowers.csv:columns=size"), ("--data columns is size",)),
    (train("mine.py:table", "flowers.csv"), ("row 2 column subject is s0", "drop=subject", "group=subject")),
    (train("mine.py:lines", "flowers.csv:drop=subject"), ("model input is [6, 64]", "2 columns")),
    (train("mine.py:lines", "flowers.csv:drop=subject,window=999"), ("model input", "2 columns x 999 rows")),
    (train("mine.py:table", "flowers.csv:drop=subject,window=1"), ("--data window is 1", "from 2")),
    (train("mine.py:table", "flowers.csv:drop=subject", "--loss", "mse"), ("targets is ", "cross_entropy")),
    # arrays and loaders
    (train("mine.py:table", "names.npz"), ("names.npz", "it holds images: x is needed")),
    (train("mine.py:table", "short.npz"), ("y is 2 long", "x has 3 samples")),
    (train("mine.py:table", "bad.npz"), ("bad.npz", "numpy.savez")),
    (train("mine.py:table", "silent.npz"), ("labels is missing", "--loss reconstruction")),
    (train("mine.py:odd", "good.npz"), ("model input is [7]", "the samples of good.npz are [2]")),
    (train("mine.py:table", "loaders.py"), ("--data is loaders.py", "name the function")),
    (train("mine.py:table", "loaders.py:gone"), ("loader is gone", "good, raising")),
    (train("mine.py:table", "broken.py:data"), ("broken.py", "nowhere_to_be_found")),
    (train("mine.py:table", "loaders.py:raising"), ("loader is raising", "no card in the reader at loaders.py:")),
    (train("mine.py:table", "loaders.py:nothing"), ("loader is nothing", "NoneType", "(x, y)")),
    (train("mine.py:table", "loaders.py:ragged"), ("loader is ragged", "same shape")),
    (train("mine.py:table", "loaders.py:without_x"), ("it returned images: x is needed",)),
    (train("mine.py:table", "loaders.py:short"), ("y is 4 long",)),
    (train("mine.py:table", "loaders.py:triples"), ("pairs of x and y",)),
    # the model against the data
    (train("mine.py:narrow", "digits"), ("model is narrow", "3 classes apart", "make the last layer 10 wide")),
    (train("mine.py:plenty", "digits"), ("model is plenty", "12 classes apart", "make the last layer 10 wide")),
    (train("mine.py:digits", "flowers.csv:drop=subject"), ("samples is [2] of flowers.csv", "forward() fails")),
    (train("mine.py:wide", "digits"), ("model input is [5, 8, 8]", "1 or 3 channels")),
    (train("mine.py:two_inputs", "digits"), ("it takes 2 inputs",)),
    (train("mine.py:whole_numbers", "digits"), ("example is", "float32 batch")),
    (train("mine.py:refused", "digits"), ("factory is refused", "no weights here")),
    (train("zoo:resnet9", "digits"), ("model is resnet9", "resnet8")),
    # how to train
    (on_digits("--epochs", "0"), ("--epochs is 0", ">= 1")),
    (on_digits("--seed", "-1"), ("--seed is -1",)),
    (on_digits("--patience", "0"), ("patience is 0",)),
    (on_digits("--schedule", "wave"), ("--schedule is wave", "cosine")),
    (on_digits("--loss", "huber"), ("--loss is huber", "cross_entropy")),
    (on_digits("--batch", "1000"), ("--batch is 1000", "training samples: give at most that")),
    (on_digits("--optimizer", "lion"), ("--optimizer is lion",)),
    (on_digits("--device", "stm32"), ("device is stm32", "nrf52832")),
    (on_digits("--budget", "ram=1KiB"), ("RAM does not fit: needs ", "has 1,024 B")),
    (on_digits("--optimizer", "sgd:lr=1e20"), ("loss is", "lower the learning rate")),
    (on_digits("--plot", "digits"), ("--plot is digits", "it is a directory")),
    (on_digits("--plot", "a.svg"), ("--plot is a.svg", "end it in .html")),
    (on_digits("--plot", "/proc/a.html"), ("--plot is /proc/a.html", "name another place")),
    (on_digits("--out", "notes.txt"), ("--out is notes.txt", "it is a file")),
    (on_digits("--out", "digits"), ("--out is digits", "it holds other files")),
    (on_digits("--out", "a" * 250), ("checkpoint is aaa", "File name too long", "name another place")),
    (on_digits("--resume"), ("--resume is made.checkpoint.npz", "leave --resume out")),
    (on_digits("--out", "old"), ("old.checkpoint.npz", "add --resume, or remove the file")),
    (on_digits("--out", "old", "--resume"), ("old.checkpoint.npz", "cannot be read", "remove it")),
    (("train", "mine.py:digits"), ("Missing option '--data'",)),
    # trying
    (("try", "mine.py:digits", "--data", "nowhere", *ON), ("--data is nowhere",)),
    (("try", "mine.py:narrow", "--data", "digits", *ON), ("make the last layer 10 wide",)),
    (("try", "mine.py:digits", "--data", "corrupt", *ON, "--json"), ("corrupt/4/00.png",)),
    # predicting
    (("predict", "nowhere", "digits/1/1.png"), ("artifact is nowhere", "manifest.json")),
    (("predict", "digits", "digits/1/1.png"), ("artifact is digits", "manifest.json")),
    (("predict", "model"), ("Missing argument",)),
    (("predict", "a" * 300, "digits/1/1.png"), ("artifact is aaa", "manifest.json")),
    (("predict", "model", "a" * 300), ("input is aaa", "there is no such file")),
    (("predict", "model", "no.png"), ("input is no.png", "there is no such file")),
    (("predict", "model", "digits"), ("input is digits", "it is a folder")),
    (("predict", "model", "flowers.csv"), ("input is flowers.csv", "this model takes .png")),
    (("predict", "model", "corrupt/4/00.png"), ("corrupt/4/00.png", "cannot be read")),
    (("predict", "model", "good.npz"), ("model input is [1, 8, 8]", "the samples of good.npz are [2]")),
    (("predict", "model", "digits/1/1.png", "--top", "0"), ("--top is 0",)),
    (("predict", "foreign", "digits/1/1.png"), ("artifact format", "emit it again")),
    (("predict", "huge", "digits/1/1.png"), ("features width is 1000000000",)),
    (("predict", "unknown", "digits/1/1.png"), ("features kind is 'shell'", "picture")),
    (("predict", "swapped", "digits/1/1.png"), ("features of shape (8, 8, 1) for an input of (1, 8, 8)",)),
    (("predict", "altered", "digits/1/1.png"), ("weights.bin", "does not match its hash")),
    # the rest
    (("compile", "zoo:resnet8", "--target", "rust"), ("--target is rust", "c")),
    (("compile", "mine.py:digits", "--device", "stm32f746"), ("--input is missing",)),
    (("compile", "mine.py:narrow", "--device", "stm32f746", "--out", "digits"), ("--out is digits", "other files")),
    (("inspect", "mine.py:digits"), ("--input is missing", "1x3x32x32")),
    (("inspect", "mine.py:narrow", "--plot", "digits"), ("--plot is digits",)),
    (("inspect", "mine.py:narrow", "--plot", "a.svg"), ("--plot is a.svg", "end it in .html")),
    (("try", "mine.py:digits", "--data", "digits", *ON, "--plot", "a.svg"), ("--plot is a.svg", "end it in .html")),
    (("zoo", "resnet9"), ("model is resnet9", "resnet8")),
    (("zoo", "ds_cnn", "resnet8?depth=2"), ("resnet8 option is depth", "classes")),
    (("zoo", "--norms", "alive"), ("--norms is alive", "frozen, folded")),
]


@pytest.mark.parametrize(("arguments", "parts"), CASES, ids=lambda v: "_".join(v)[-70:].replace("/", "%"))
def test_bad_data_is_one_line_and_leaves_nothing(
    prepared: Path, arguments: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    before = files(prepared)
    result = run(*arguments, cwd=prepared)
    if "--json" in arguments:  # machines read the same line
        assert json.loads(result.out)["error"]["message"] in result.err
        result = replace(result, out="")
    assert_one_line(result, *parts)
    assert {f for f in files(prepared) if not f.startswith(".")} == before


def test_there_are_enough_of_them() -> None:
    assert len(CASES) >= 35


def test_debug_anywhere_shows_where(prepared: Path) -> None:
    for line in (("--debug", "train"), ("train", "--debug")):
        result = run(*line, "mine.py:digits", "--data", "nowhere", cwd=prepared)
        assert result.code == 1
        assert "Traceback" in result.err
        assert "InvalidInput" in result.err
