"""Whatever a manifest says: a session that works, or one line."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import selvedge as sv

from .models import batch, plan
from .test_artifact import rewrite

X, Y = batch()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sv.emit(plan("folded"), "c", tmp_path_factory.mktemp("hostile") / "artifact")


@pytest.fixture
def artifact(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "artifact"))


def places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every key and index of nested data, the hashes of files apart but for two."""
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from places(value, (*path, key))


def works(folder: Path) -> None:
    session = sv.load(folder)
    session.predict(X)
    session.evaluate(X, Y)
    session.step(X, Y)
    session.load_state_dict(session.state_dict())
    session.load_optimizer_state_dict(session.optimizer_state_dict(), session.steps)
    session.load_persistent(session.persistent())


ODD = st.one_of(
    st.sampled_from([None, True, -1, 0, 1, 3, 4, 16, 64, 1 << 40, 1 << 70, 1.5, float("nan"), "", "abc", "float16",
                     "float64", "uint8", "int32", "a\0b", "../x", [], {}, [1], ["x"], {"x": 1}, "\ud800", "head.bias"]),
    st.integers(-100, 10_000),
)  # fmt: skip


@settings(max_examples=250, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_a_mutated_manifest_is_refused_or_works(folder: Path, data: st.DataObject) -> None:
    whole = (folder / "manifest.json").read_text()
    changed = copy.deepcopy(json.loads(whole))
    path = data.draw(st.sampled_from([p for p in places(changed) if p[0] != "provenance"]))
    owner = changed
    for key in path[:-1]:
        owner = owner[key]
    if data.draw(st.booleans()):
        owner[path[-1]] = data.draw(ODD)
    else:
        del owner[path[-1]]
    (folder / "manifest.json").write_text(json.dumps(changed))
    said = ""
    try:
        works(folder)
    except sv.SelvedgeError as error:
        said = str(error)
    finally:
        (folder / "manifest.json").write_text(whole)
    assert "\n" not in said


def refused(folder: Path) -> str:
    with pytest.raises(sv.SelvedgeError) as caught:
        sv.load(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("dtype",), "float16"), (("dtype",), 5), (("alignment",), -5), (("lanes",), -1), (("lanes",), "abc"),
        (("classes",), 10**9), (("arena_bytes",), 1 << 60), (("programs", "extra"), {"inputs": {}, "outputs": {}}),
        (("state",), {}), (("order",), ["nope"]), (("aliases",), {"q": "nope"}), (("files", "a\0b"), "0"),
        (("programs", "step", "inputs", "x", "offset"), 1.5), (("programs", "step", "inputs", "x", "offset"), 3),
        (("programs", "step", "inputs", "x", "shape"), [-2, -2, 6, 5]), (("weights_bytes",), 0),
        (("programs", "step", "inputs", "x", "shape"), [2.0, 6, 5, 2]), (("folds", 0, "weight"), "nope"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(artifact: Path, path: tuple[Any, ...], value: Any) -> None:
    data = json.loads((artifact / "manifest.json").read_text())
    owner = data
    for key in path[:-1]:
        owner = owner[key]
    owner[path[-1]] = value
    (artifact / "manifest.json").write_text(json.dumps(data))
    refused(artifact)


def test_an_arena_of_another_size_than_the_c_uses_is_refused(artifact: Path) -> None:
    data = json.loads((artifact / "manifest.json").read_text())
    data["arena_bytes"] -= 8
    (artifact / "manifest.json").write_text(json.dumps(data))
    assert "an array of" in refused(artifact)  # that one lies at the very end
    data["arena_bytes"] += 16
    (artifact / "manifest.json").write_text(json.dumps(data))
    assert "MODEL_ARENA_BYTES" in refused(artifact)


def test_texts_that_are_no_manifest(artifact: Path) -> None:
    for text in (b"[" * 200_000, b'{"format":' + b"1" * 5000 + b"}", bytes(range(256))):
        (artifact / "manifest.json").write_bytes(text)
        refused(artifact)


@pytest.mark.parametrize(
    ("name", "content"),
    [("extra.npz", b"PK\3\4junk"), ("extra.npz", b""), ("model.c", b"\xff\xfe"), ("model.c", b"int x;")],
)
def test_files_that_are_not_what_they_are_called(artifact: Path, name: str, content: bytes) -> None:
    rewrite(artifact, name, content)
    refused(artifact)


@pytest.mark.parametrize("directory", [None, 5, "a\0b"])
def test_directories_that_are_none(directory: Any) -> None:
    with pytest.raises(sv.InvalidInput):
        sv.load(directory)


def test_a_library_cut_short_in_the_cache_is_built_anew(artifact: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    expected = sv.load(artifact, cache=cache).predict(X)
    for size in (0, 100, 4096, 9000):
        for library in cache.glob("*.so"):
            library.unlink()  # another inode: the one that is loaded stays whole
            library.write_bytes(b"")
        for built in cache.glob("*.o"):
            content = built.read_bytes()[:size]
            built.unlink()
            built.write_bytes(content)
        np.testing.assert_array_equal(sv.load(artifact, cache=str(cache)).predict(X), expected)
