"""What a user wants predicted, as a model's samples: the same steps that its training data went through."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ..artifact.features import Columns, Features, Picture
from ..errors import InvalidInput
from . import arrays, image, sound, table
from .dataset import Array
from .find import IMAGES, SOUNDS, TABLES
from .rows import read_table
from .spec import Spec

ARRAYS = (".npy", ".npz")


def read(path: Path, features: Features | None, shape: tuple[int, ...]) -> Array:
    """The samples in ``path``, [n, *shape]: an image, a .wav, the rows or windows of a .csv, or an .npy or .npz.

    features: of the artifact's manifest. Raises ``InvalidInput`` for a file of another kind than the model learnt
    from, or one that cannot be read.
    """
    if not os.path.isfile(path):  # False for a name that no file system has
        folder = f"it is a folder: name its files, as {path}/*"
        raise InvalidInput("input", str(path), folder if os.path.isdir(path) else "there is no such file")
    suffix = path.suffix.lower()
    if suffix in ARRAYS:
        x = arrays.checked(arrays.read_npz(path)["x"], str(path))
        return arrays.fitted(x[None] if x.shape == shape else x, shape, str(path))
    kinds = IMAGES if isinstance(features, Picture) else TABLES if isinstance(features, Columns) else SOUNDS
    if features is None or suffix not in kinds:
        known = "" if features is None else f"{', '.join(kinds[:3])}, "
        raise InvalidInput("input", str(path), f"this model takes {known}.npy and .npz")
    if isinstance(features, Picture):
        return image.decode(path, features)[None]
    if isinstance(features, Columns):
        values = read_table(path, Spec(path, None, {"label": ""}), columns=features.names).values
        if len(values) < max(1, features.window):
            fix = f"it has {len(values)} rows: the model takes windows of {features.window}"
            raise InvalidInput("input", str(path), fix)
        return table.samples(values, features)
    return np.asarray(sound.sample(path, features))[None]
