"""What an artifact says of itself: sizes, state schema, where programs find their inputs, provenance. Plain JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

from ..errors import InvalidInput
from . import features as feature_kinds
from .features import Features
from .folding import Fold
from .layout import Layout
from .preprocess import Preprocess
from .schedule import Schedule
from .schedule import from_dict as schedule_from_dict
from .sound import ITEM, require_sound, sizes, texts

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output of a program: byte offset in the arena, stored shape and dtype, and how PyTorch sees it."""

    offset: int
    shape: tuple[int, ...]
    dtype: str
    layout: Layout | None = None

    @property
    def bytes(self) -> int:
        return prod(self.shape) * ITEM[self.dtype]


@dataclass(frozen=True, slots=True)
class StateEntry:
    """One state array. region "state": bytes in the arena at ``offset``, initial value in the weights at ``initial``;
    region "flash": in the weights at ``offset``."""

    region: str
    offset: int
    initial: int
    shape: tuple[int, ...]
    dtype: str
    kind: str
    layout: Layout | None = None

    @property
    def bytes(self) -> int:
        return prod(self.shape) * ITEM[self.dtype]

    @property
    def of_model(self) -> bool:
        """Whether PyTorch's model has it: neither the optimiser's nor an accumulator."""
        return self.kind in ("parameter", "buffer")


@dataclass(frozen=True, slots=True)
class ProgramEntry:
    """Inputs and outputs of one program, by name. file: of a target other than C, the one that it lies in."""

    inputs: Mapping[str, Port]
    outputs: Mapping[str, Port]
    file: str = ""


@dataclass(frozen=True, slots=True)
class Manifest:
    """See :class:`Port`, :class:`StateEntry`.

    order: the names of the model's state_dict, in its order. classes: labels lie in 0..classes-1 (0: no labels).
    aliases: shared state, other name -> name in ``state``. folds: the batch norms that were folded, and so how to come
    back to the PyTorch names. accumulate: micro-batches of one update; where they are more than 1, there are programs
    accumulate and apply, and no step. steps: updates made before, the place in the schedule. features: how a file
    becomes an input. parts: parameter -> (axis in PyTorch's layout, count): of that one only the first so many input
    channels learn. storage_bytes: what the programs page out lies in so many bytes of storage. files: name ->
    SHA-256. loss_options: what the loss was given beside its name, as its label_smoothing. target: which runtime runs
    it; where that is not "c", there is no arena of ours: sizes and offsets are 0, each program lies in a file, and the
    initial state in state.npz.
    """

    name: str
    digest: str
    dtype: str
    lanes: int
    alignment: int
    arena_bytes: int
    persistent_bytes: int
    weights_bytes: int
    programs: Mapping[str, ProgramEntry]
    state: Mapping[str, StateEntry]
    updated: tuple[str, ...]
    loss: str | None
    optimizer: Mapping[str, Any]
    schedule: Schedule
    order: tuple[str, ...] = ()
    classes: int = 0
    aliases: Mapping[str, str] = field(default_factory=dict)
    folds: tuple[Fold, ...] = ()
    labels: tuple[str, ...] = ()
    preprocess: Preprocess | None = None
    accumulate: int = 1
    steps: int = 0
    features: Features | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)
    storage_bytes: int = 0
    parts: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    loss_options: Mapping[str, Any] = field(default_factory=dict)
    target: str = "c"

    @property
    def batch(self) -> int:
        """Samples of every program's call: the plan's batch, or its micro-batch."""
        return self._face("x")[0]

    @property
    def step_batch(self) -> int:
        """Samples of one update."""
        return self.batch * self.accumulate

    @property
    def backward(self) -> ProgramEntry:
        """The program that makes gradients: step or accumulate; predict where nothing learns."""
        return self.programs["accumulate" if self.accumulate > 1 else "step" if "step" in self.programs else "predict"]

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample of the (first) input, PyTorch's axis order, without the batch axis."""
        return self._face("x")[1:]

    @property
    def target_shape(self) -> tuple[int, ...] | None:
        """Shape of one sample's target, without the batch axis; None where the loss has none."""
        return self._face("y")[1:] if "y" in self.backward.inputs else None

    def _face(self, name: str) -> tuple[int, ...]:
        port = self.backward.inputs[name]
        return tuple(port.layout.face if port.layout else port.shape)

    def to_json(self) -> str:
        data = {"format": FORMAT, **{k: getattr(self, k) for k in self.__dataclass_fields__}}
        data["features"] = None if self.features is None else feature_kinds.to_dict(self.features)
        return json.dumps(data, default=_plain, indent=1)

    @classmethod
    def from_json(cls, text: str, source: object = "manifest") -> Manifest:
        """Raises :class:`InvalidInput` for anything that is not a manifest of this format."""
        try:
            data = json.loads(text)
            version = data.pop("format")
            if version != FORMAT or isinstance(version, bool):
                raise InvalidInput("artifact format", source, f"this version reads format {FORMAT}: emit it again")
            made = cls(
                **{
                    **data,
                    "programs": {
                        k: ProgramEntry(_ports(p["inputs"]), _ports(p["outputs"]), str(p.get("file", "")))
                        for k, p in data["programs"].items()
                    },
                    "state": {k: _entry(v) for k, v in data["state"].items()},
                    "updated": texts("updated", data["updated"]),
                    "order": texts("order", data["order"]),
                    "labels": texts("labels", data["labels"]),
                    "folds": tuple(Fold.from_dict(f) for f in data["folds"]),
                    "schedule": schedule_from_dict(data["schedule"]),
                    "preprocess": Preprocess.from_dict(data["preprocess"]) if data["preprocess"] else None,
                    "features": feature_kinds.from_dict(data["features"]) if data.get("features") else None,
                    "parts": {str(n): sizes("parts", v) for n, v in data.get("parts", {}).items()},
                    "files": {str(n): str(h) for n, h in data["files"].items()},
                }
            )
            require_sound(made)
            return made
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError, RecursionError) as error:
            if isinstance(error, InvalidInput):
                raise
            raise InvalidInput("artifact manifest", source, f"it cannot be read ({error}); emit it again") from None


def _plain(value: Any) -> Any:
    if hasattr(value, "to_dict"):
        return value.to_dict()
    if hasattr(value, "__dataclass_fields__"):
        return {k: getattr(value, k) for k in value.__dataclass_fields__}
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(type(value).__name__)


def _layout(data: Mapping[str, Any] | None) -> Layout | None:
    return None if data is None else Layout(*(sizes(key, data[key]) for key in ("perm", "shape", "face")))


def _port(data: Mapping[str, Any]) -> Port:
    return Port(data["offset"], sizes("shape", data["shape"]), str(data["dtype"]), _layout(data["layout"]))


def _ports(data: Mapping[str, Any]) -> dict[str, Port]:
    return {name: _port(port) for name, port in data.items()}


def _entry(data: Mapping[str, Any]) -> StateEntry:
    return StateEntry(
        str(data["region"]), data["offset"], data["initial"], sizes("shape", data["shape"]), str(data["dtype"]),
        str(data["kind"]), _layout(data["layout"]),
    )  # fmt: skip
