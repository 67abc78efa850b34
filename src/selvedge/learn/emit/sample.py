"""How one sample lies where it comes from, in the arena and in a memory, as the C has it."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ...artifact.manifest import Port
from ...errors import NotSupported
from ..memory.affine import Affine
from ..memory.balanced import Balanced
from ..memory.bits import Bits
from ..memory.codec import Codec
from ..memory.labels import bits_of
from ..memory.packing import packed_size
from ..memory.raw import Raw
from ..memory.replay import Replay
from ..memory.reservoir import Reservoir
from ..memory.smaller import Smaller

MOST_FACTOR = 8  # SV_FACTOR_MOST


def unlike(what: str, fix: str) -> NotSupported:
    """The refusal of ``what``, which is in Python only."""
    return NotSupported(f"the learner in C: {what}", "", fix)


def stored(port: Port, face: tuple[int, ...]) -> tuple[list[int], list[int]]:
    """The sizes of a sample's stored axes and their strides in the sample as PyTorch has it, four of each; ``face``:
    its shape there. Raises ``NotSupported`` for more axes, or another one than the batch in front."""
    perm = port.layout.perm if port.layout else tuple(range(len(face) + 1))
    axes = [a - 1 for a in perm[1:] if face[a - 1] != 1]
    if perm[0] != 0 or len(axes) > 4:
        raise unlike(f"an input of {list(face)}", "give one of at most 4 axes, the batch in front")
    dims, strides = [face[a] for a in axes], [prod(face[a + 1 :]) for a in axes]
    while len(dims) < 4:
        strides.insert(0, dims[0] * strides[0] if dims else 1)
        dims.insert(0, 1)
    return dims, strides


def codec(memory: Replay, field: str) -> str:
    """The ``sv_codec`` of a memory. Raises ``NotSupported`` for a codec that the C has not."""
    kind: Codec = memory.codec
    factor, shape = 1, memory.sample_shape
    if isinstance(kind, Smaller) and kind.decode_by == "nearest" and kind.factor <= MOST_FACTOR:
        factor, kind = kind.factor, kind.inner
    low, high, bits = 0.0, 0.0, 8
    if isinstance(kind, Raw) and (kind.dtype is None or memory.dtype == np.float32):
        name = "SV_FLOAT16" if kind.dtype == "float16" else "SV_RAW"
    elif isinstance(kind, Bits):
        name, bits = "SV_BITS", kind.bits
    elif isinstance(kind, Affine):
        name, bits, low, high = "SV_AFFINE", kind.bits, float(kind.low), float(kind.high)
    else:
        fix = "give raw, float16, int8, int4, 2bit or 1bit, or half+, third+ or quarter+ one of them"
        raise unlike(f"the codec {memory.codec} of its {field}", fix)
    flat = len(shape) < 2
    outer, height = (1, 1) if flat else (prod(shape[:-2]), shape[-2])
    numbers = [name, bits, memory.dtype.itemsize, factor, outer, height, shape[-1] if shape else 1, int(flat)]
    return "{" + ", ".join(map(str, [*numbers, low.hex(), high.hex()])) + "}"


def replay(memory: Any, field: str) -> tuple[str, int]:
    """The ``sv_replay`` of a memory, and its bytes. Raises ``NotSupported`` for one that the C has not."""
    if not isinstance(memory, Replay) or memory.beside is not None:
        raise unlike(f"its {field}", "give a Replay with nothing beside the samples")
    balanced = isinstance(memory.policy, Balanced)
    if not balanced and not isinstance(memory.policy, Reservoir):
        name = type(memory.policy).__name__
        raise unlike(f"the policy {name} of its {field}", "give balanced or reservoir")
    made, bits = codec(memory, field), 8 if memory.codec == Raw() else bits_of(memory.classes)
    full = 12 + 4 * (memory.classes if balanced else 1)
    labels = full + (memory.classes if balanced else 0)
    samples = labels + packed_size(memory.capacity, bits)
    size = memory.codec.size(memory.sample_shape, memory.dtype)
    numbers = ["SV_BALANCED" if balanced else "SV_RESERVOIR", memory.capacity, memory.classes, bits]
    numbers += [full, labels, samples, size]
    return "{" + ", ".join(map(str, [made, *numbers])) + "}", samples + memory.capacity * size
