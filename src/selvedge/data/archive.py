"""Arrays as the bytes of an .npz."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt


def npz(arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """As ``numpy.savez`` writes them, without compression, and of any names: that takes them as keywords, so that
    "file" could not be one. Raises ``ValueError`` for arrays of objects."""
    with io.BytesIO() as held:
        with zipfile.ZipFile(held, "w") as packed:
            for name, array in arrays.items():
                with packed.open(f"{name}.npy", "w", force_zip64=True) as entry:
                    np.lib.format.write_array(entry, np.asanyarray(array), allow_pickle=False)
        return held.getvalue()
