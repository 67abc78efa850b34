"""Image files as uint8 in the model's shape."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..artifact.features import Picture
from ..artifact.preprocess import Preprocess
from ..errors import InvalidInput, one_line
from . import memory
from .dataset import Array, Indices, Rows
from .find import find
from .raw import Finished, Raw, Source
from .spec import Spec

if TYPE_CHECKING:
    from PIL import Image

SAMPLED = 1000  # images whose mean and deviation stand for all, where not all are decoded


def survey(spec: Spec) -> Source:
    """Look at a folder of images: the first one's size and colours are the natural shape."""
    found = find(spec, "images")
    if found.labels is None:
        fix = "put the images of each class into a folder of its name, or give pattern={label}_{}.png"
        raise InvalidInput("--data", str(spec), f"nothing says which class an image is of: {fix}")
    with opened(found.paths[0]) as first:
        natural = (_channels(first), first.height, first.width)
    notes: list[str] = []

    def read(shape: tuple[int, ...]) -> Raw:
        picture = described(shape, natural)
        size = len(found.paths) * math.prod(shape)
        files = Files(found.paths, picture)
        x: Rows = files
        if size <= memory.limit(spec):
            x = files[np.arange(len(files))]
        else:
            notes.append(f"decoded when needed: all at once would take {size:,} B")
            for path in found.paths:
                opened(path).close()
        made = (picture.channels, picture.height, picture.width)
        if made != natural:
            notes.append(f"stretched from {_said(natural)} (the first one) to {_said(made)}")
        return Raw(
            len(found.paths), lambda train: _finish(spec, x, picture, train), found.labels, found.groups, found.parts,
            tuple(notes),
        )  # fmt: skip

    return Source(spec, "images", tuple(sorted(set(found.labels))), natural, read)


def described(shape: tuple[int, ...], natural: tuple[int, int, int]) -> Picture:
    """How an image becomes a sample of ``shape``: [C, H, W], [H, W] or, flattened, [C * H * W].

    Raises ``InvalidInput`` for a shape that no image has.
    """
    if len(shape) == 3 and shape[0] in (1, 3):
        return Picture(shape[0], shape[1], shape[2], shape)
    if len(shape) == 2:
        return Picture(1, shape[0], shape[1], shape)
    if len(shape) == 1:
        if math.prod(natural) == shape[0]:
            return Picture(*natural, shape)
        if math.isqrt(shape[0]) ** 2 == shape[0]:
            return Picture(1, math.isqrt(shape[0]), math.isqrt(shape[0]), shape)
        if shape[0] % 3 == 0 and math.isqrt(shape[0] // 3) ** 2 == shape[0] // 3:
            return Picture(3, math.isqrt(shape[0] // 3), math.isqrt(shape[0] // 3), shape)
    fix = f"images are 1 or 3 channels by height by width, these {_said(natural)}; give a model that takes one"
    raise InvalidInput("model input", list(shape), fix)


@dataclass(frozen=True, slots=True)
class Files:
    """Images that are decoded when they are asked for: ``files[rows]`` is uint8 [n, *shape]."""

    paths: Sequence[Path]
    picture: Picture

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, rows: Any, /) -> Array:
        made = np.empty((len(rows), *self.picture.shape), np.uint8)
        for i, row in enumerate(rows):
            made[i] = decode(self.paths[row], self.picture)
        return made


def decode(path: Path, picture: Picture) -> Array:
    """One image, uint8 ``picture.shape``: turned as its camera says, transparent parts white, then stretched with
    Pillow's antialiased bilinear filter. Raises ``InvalidInput`` for a file that is not a whole image."""
    from PIL import Image, ImageOps

    with opened(path) as image:
        try:
            upright = ImageOps.exif_transpose(image)
            if upright.mode.startswith("I"):  # 16 bits a pixel
                upright = Image.fromarray((np.asarray(upright, np.int64) >> 8).clip(0, 255).astype(np.uint8))
            if "transparency" in upright.info or upright.mode in ("RGBA", "LA", "PA"):
                upright = upright.convert("RGBA")
                upright = Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright)
            plain = upright.convert("L" if picture.channels == 1 else "RGB")
        except Exception as error:  # Pillow raises many kinds for a damaged file
            raise _corrupt(path, error) from None
    if plain.size != (picture.width, picture.height):
        plain = plain.resize((picture.width, picture.height), Image.Resampling.BILINEAR)
    pixels = np.asarray(plain, np.uint8).reshape(picture.height, picture.width, picture.channels)
    return pixels.transpose(2, 0, 1).reshape(picture.shape)


def opened(path: Path) -> Image.Image:
    """The file as an image whose header has been read. Raises ``InvalidInput``."""
    try:
        from PIL import Image
    except ModuleNotFoundError:
        raise InvalidInput("Pillow", "not installed", "images need it: pip install pillow") from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Image.open(path)
    except Exception as error:
        raise _corrupt(path, error) from None


def _finish(spec: Spec, x: Rows, picture: Picture, train: Indices) -> Finished:
    how = spec.choice("normalise", "standard", ("standard", "unit", "none"))
    if how != "standard":
        return x, Preprocess((1 / 255,) if how == "unit" else (1.0,), (0.0,)), picture
    seen = train if isinstance(x, np.ndarray) else train[:: max(1, len(train) // SAMPLED)]
    pixels = np.asarray(x[seen])
    axes = (0, 2, 3) if len(picture.shape) == 3 else None
    mean, std = (np.atleast_1d(f(pixels, axis=axes, dtype=np.float64)) for f in (np.mean, np.std))
    std = np.where(std > 1e-6, std, 255.0)
    return x, Preprocess(tuple(map(float, 1 / std)), tuple(map(float, -mean / std))), picture


def _channels(image: Image.Image) -> int:
    return 1 if image.mode in ("1", "L", "LA", "I", "F") or image.mode.startswith("I;") else 3


def _said(shape: tuple[int, ...]) -> str:
    return f"{shape[2]}x{shape[1]} {'grey' if shape[0] == 1 else 'RGB'}"


def _corrupt(path: Path, error: Exception) -> InvalidInput:
    if isinstance(error, FileNotFoundError):
        return InvalidInput("image", str(path), "there is no such file")
    said = "it is no image" if "cannot identify" in str(error) else one_line(str(error)) or type(error).__name__
    return InvalidInput("image", str(path), f"it cannot be read ({said}): replace it or remove it")
