"""Image folders: shapes follow the model, files are read as they are shown, and nothing is read twice as different."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from selvedge.artifact.features import Picture
from selvedge.data import load, survey
from selvedge.data.image import decode
from selvedge.data.inputs import read
from selvedge.errors import InvalidInput

from .folders import digits


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return digits(tmp_path_factory.mktemp("images") / "digits", 12)


def test_the_natural_shape_is_the_first_images_own(folder: Path) -> None:
    source = survey(str(folder))
    assert (source.kind, source.natural) == ("images", (1, 8, 8))
    assert source.labels == tuple("0123456789")
    data = load(str(folder))
    assert (len(data), data.x[np.arange(2)].shape, data.x[np.arange(2)].dtype) == (120, (2, 1, 8, 8), np.uint8)
    assert {p: len(r) for p, r in data.split.items()} == {"train": 80, "validation": 20, "test": 20}


@pytest.mark.parametrize(
    ("shape", "picture"),
    [
        ((3, 16, 12), (3, 16, 12)),
        ((1, 5, 7), (1, 5, 7)),
        ((8, 8), (1, 8, 8)),
        ((64,), (1, 8, 8)),
        ((16,), (1, 4, 4)),
        ((27,), (3, 3, 3)),
    ],
)
def test_shapes_follow_the_model(folder: Path, shape: tuple[int, ...], picture: tuple[int, int, int]) -> None:
    data = load(str(folder), shape)
    assert isinstance(data.features, Picture)
    assert (data.features.channels, data.features.height, data.features.width) == picture
    assert data.x[np.arange(3)].shape == (3, *shape)


def test_lazy_images_are_the_same_images(folder: Path) -> None:
    whole, lazy = load(str(folder)), load(f"{folder}:memory=1KiB")
    assert isinstance(whole.x, np.ndarray)
    assert not isinstance(lazy.x, np.ndarray)
    assert any("decoded when needed: all at once would take 7,680 B" in n for n in lazy.notes)
    for part in ("train", "test"):
        which = np.arange(len(whole.part(part)))
        for a, b in zip(whole.part(part).take(which), lazy.part(part).take(which), strict=True):
            np.testing.assert_array_equal(a, b)
    assert whole.preprocess == lazy.preprocess


def test_bytes_are_normalised_by_the_training_images(folder: Path) -> None:
    data = load(str(folder), (3, 8, 8))
    assert data.preprocess is not None
    x = data.preprocess(np.asarray(data.x[data.split["train"]]))
    np.testing.assert_allclose(x.mean((0, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(x.std((0, 2, 3)), 1, atol=1e-5)
    assert load(f"{folder}:normalise=unit").preprocess.scale == (1 / 255,)  # type: ignore[union-attr]


def test_predicting_reads_what_training_read(folder: Path) -> None:
    data = load(str(folder), (3, 11, 9))
    paths = sorted(folder.rglob("*.png"))
    for i in (0, 57, 119):
        np.testing.assert_array_equal(
            read(paths[i], data.features, (3, 11, 9))[0], np.asarray(data.x[np.array([i])])[0]
        )


def test_colours_transparency_and_depth(tmp_path: Path) -> None:
    grey, colour = Picture(1, 2, 2, (1, 2, 2)), Picture(3, 2, 2, (3, 2, 2))

    def saved(image: Image.Image, name: str = "a.png") -> Path:
        image.save(tmp_path / name)
        return tmp_path / name

    red = saved(Image.new("RGB", (2, 2), (255, 0, 0)))
    assert decode(red, colour)[:, 0, 0].tolist() == [255, 0, 0]
    assert decode(red, grey)[0, 0, 0] == 76  # ITU-R 601
    assert decode(saved(Image.new("RGBA", (2, 2), (0, 0, 0, 0))), grey).min() == 255
    assert decode(saved(Image.new("1", (2, 2), 1)), colour).min() == 255
    assert decode(saved(Image.fromarray(np.full((2, 2), 0x8000, np.uint16))), grey).tolist() == [[[128] * 2] * 2]
    turned = Image.fromarray(np.array([[10, 20], [30, 40]], np.uint8))
    exif = turned.getexif()
    exif[0x0112] = 6  # the camera was held on its side
    turned.save(tmp_path / "t.png", exif=exif)
    assert decode(tmp_path / "t.png", grey)[0].tolist() == [[30, 10], [40, 20]]


def test_train_and_test_folders_are_taken_as_they_are(tmp_path: Path) -> None:
    digits(tmp_path / "train", 6)
    digits(tmp_path / "test", 2)
    data = load(str(tmp_path))
    assert {p: len(r) for p, r in data.split.items()} == {"train": 50, "validation": 10, "test": 20}
    assert data.labels == tuple("0123456789")


def test_a_pattern_gives_class_and_group(tmp_path: Path) -> None:
    for i in range(36):
        Image.new("L", (4, 4), i).save(tmp_path / f"{'ab'[i % 2]}_{i // 2 % 6}_{i}.png")
    data = load(f"{tmp_path}:pattern={{label}}_{{group}}_{{}}.png")
    assert data.labels == ("a", "b")
    assert data.groups is not None
    sides = [set(data.groups[rows].tolist()) for rows in data.split.values()]
    assert sum(map(len, sides)) == 6
    with pytest.raises(InvalidInput, match="does not fit it"):
        load(f"{tmp_path}:pattern={{label}}-{{group}}.png")


def test_damaged_files_are_named(tmp_path: Path) -> None:
    digits(tmp_path, 4)
    whole = (tmp_path / "3" / "3.png").read_bytes()
    bad = tmp_path / "3" / "0bad.png"
    for content in (b"", b"not an image", whole[:60], whole[:20] + b"\x00" * 40 + whole[60:]):
        bad.write_bytes(content)
        with pytest.raises(InvalidInput, match=r"0bad\.png: it cannot be read .*: replace it or remove it"):
            load(str(tmp_path))
