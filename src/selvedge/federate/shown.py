"""The model as devices are shown it, and how little says so."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..learn.draws import GOLDEN, WORD, Draws, mixed
from .codec.codec import Codec, Malformed, Shapes, Vector, count
from .codec.raw import Raw

_LENGTH = struct.Struct("<I")


class Shown:
    """``vector``: float32 [size], what every device has that has ``version``: a change is the difference to it.

    Without ``difference`` it is the model by ``codec``. With it, each version is the one before it and what ``codec``
    makes of the model's distance to that: what one step leaves out, the next ones say. The last ``history`` steps are
    kept for devices that have an earlier version, as many as are together fewer bytes than all of the model.
    """

    def __init__(self, model: Vector, codec: Codec, shapes: Shapes, difference: bool, history: int, seed: int) -> None:
        self._codec, self._shapes, self._difference, self._history, self._seed = (
            codec,
            shapes,
            difference,
            history,
            seed,
        )
        self.version = 0
        self.steps: dict[int, bytes] = {}  # by the version that they lead to
        self._whole = b""
        self.vector = model.astype(np.float32)
        if not difference:
            self._code(model)

    def move(self, model: npt.NDArray[Any]) -> None:
        """Show ``model``, as the next version."""
        self.version += 1
        self._whole = b""
        if not self._difference:
            self._code(model.astype(np.float32))
            return
        seed = _seed(self._seed, self.version)
        step = self._codec.encode(np.asarray(model - self.vector, np.float32), self._shapes, seed, Draws(seed))
        self.vector = self.vector + self._codec.decode(step, self._shapes, seed)
        self.steps[self.version] = step
        self.steps.pop(self.version - self._history, None)
        while self.steps and sum(_LENGTH.size + len(s) for s in self.steps.values()) >= 4 * count(self._shapes):
            del self.steps[min(self.steps)]  # nobody is ever sent these: all of it is fewer bytes

    def body(self, have: int) -> tuple[int, bytes]:
        """(base, bytes) for a device that has version ``have``, -1 for none: the steps from there where those are
        fewer bytes than all of it, which is of base -1."""
        if self._difference and have >= 0:
            wanted = range(have + 1, self.version + 1)
            if all(v in self.steps for v in wanted):
                packed = b"".join(_LENGTH.pack(len(self.steps[v])) + self.steps[v] for v in wanted)
                if len(packed) < 4 * count(self._shapes):
                    return have, packed
        if not self._whole:
            self._whole = self.vector.astype("<f4").tobytes()
        return -1, self._whole

    def state_dict(self) -> dict[str, npt.NDArray[Any]]:
        return {
            "vector": self.vector, "version": np.array(self.version),
            **({} if self._difference else {"whole": np.frombuffer(self._whole, np.uint8)}),
            **{f"step.{v}": np.frombuffer(step, np.uint8) for v, step in self.steps.items()},
        }  # fmt: skip

    def load_state_dict(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        self.vector, self.version = state["vector"].copy(), int(state["version"])
        self._whole = state["whole"].tobytes() if "whole" in state else b""
        self.steps = {int(n.removeprefix("step.")): a.tobytes() for n, a in state.items() if n.startswith("step.")}

    def _code(self, model: Vector) -> None:
        self._whole = self._codec.encode(model, self._shapes, self._seed, Draws(self._seed + self.version))
        self.vector = self._codec.decode(self._whole, self._shapes, self._seed)


def read(
    base: int, body: bytes, mine: Vector | None, difference: bool, codec: Codec, shapes: Shapes, seed: int
) -> Vector:
    """What a device makes of :meth:`Shown.body`; ``mine``: what it has of version ``base``. Raises ``Malformed``."""
    if base < 0:
        return (Raw() if difference else codec).decode(body, shapes, seed)
    if mine is None:
        raise Malformed(f"the difference to version {base}, which is not here")
    made, at = mine, 0
    while at < len(body):
        if at + _LENGTH.size > len(body):
            raise Malformed("a step that ends early")
        (length,) = _LENGTH.unpack_from(body, at)
        at += _LENGTH.size
        base += 1
        if at + length > len(body):
            raise Malformed("a step that ends early")
        made = made + codec.decode(body[at : at + length], shapes, _seed(seed, base))
        at += length
    return made


def _seed(seed: int, version: int) -> int:
    """Of the step that leads to a version: what one draws nothing of, another does."""
    return mixed((seed * GOLDEN + version) & WORD)
