"""The widths of a network: what, with a state dict, is a pruned model. A file that a person may read and edit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from torch import nn

from ...artifact import files
from ...errors import InvalidInput, one_line
from ..export import Inputs, quiet
from ..still import still
from .cut import Kept, cut, undo
from .kinds import CONVOLUTIONS, MIXES, NORMS, PASSES, TRANSPOSED, groups, role, sizes

SCHEMA = "selvedge.widths/1"
LIMIT = 1 << 24  # bytes: no file of ours is larger
KINDS = tuple(k.__name__ for k in (*CONVOLUTIONS, *TRANSPOSED, nn.Linear, *NORMS, nn.PReLU))
FIELDS = ("kind", "inputs", "outputs", "groups")


@dataclass(frozen=True, slots=True)
class Width:
    """``kind``: PyTorch's class ("Conv2d"); channels or features of its inputs and outputs; groups of a convolution,
    1 for the others."""

    kind: str
    inputs: int
    outputs: int
    groups: int = 1


@dataclass(frozen=True, slots=True)
class Widths:
    """The widths of each layer of a network: path of the module -> :class:`Width`.

    With a state dict that is a pruned model, without pickled code: ``widths.apply(fresh)`` gives a freshly built
    original architecture these widths, and it then takes the pruned model's ``state_dict()``.
    """

    layers: Mapping[str, Width]

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", MappingProxyType(dict(self.layers)))

    @classmethod
    def of(cls, model: nn.Module) -> Widths:
        """Those of ``model``, as it is: convolutions, linear layers, batch norms, PReLU."""
        if not isinstance(model, nn.Module):
            raise InvalidInput("model", f"of type {type(model).__name__}", "give an nn.Module")
        return cls({n: _width(m) for n, m in _sized(model).items()})

    def apply(self, model: nn.Module, example: Any = None) -> nn.Module:
        """``model``, built anew in its original widths, changed in place to these; it is given back.

        Its tensors become the first rows and columns of what they were: load the state dict of the pruned model behind
        it. example: an input (a tensor, or a tuple of several) with which to try whether the layers fit each other;
        without one that is not looked at. Raises :class:`InvalidInput` naming the layer, and leaves the model as it
        was.
        """
        now = Widths.of(model)
        names = dict.fromkeys((*self.layers, *now.layers))  # those that only one of the two has come first
        for name in sorted(names, key=lambda n: n in self.layers and n in now.layers):
            self._check(name, now)
        whole = {n: w for n, w in self.layers.items() if w != now.layers[n]}
        stays = {n: Kept(_first(now.layers[n], whole[n])[0], tuple(range(whole[n].outputs))) for n in whole}
        restore = undo(model, whole)
        cut(model, stays)
        said = None if example is None else _tried(model, example)
        if said is not None:
            restore()
            raise said
        return model

    def _check(self, name: str, now: Widths) -> None:
        where = f"widths of {name or 'the model'}"
        if name not in now.layers:
            raise InvalidInput(where, "given", "the model has no such layer: build the architecture that was pruned")
        if name not in self.layers:
            raise InvalidInput(where, "not given", "the model has this layer: build the architecture that was pruned")
        mine, its = self.layers[name], now.layers[name]
        if mine.kind != its.kind:
            raise InvalidInput(where, f"of a {mine.kind}", f"the model's is a {its.kind}")
        for field, wanted, have in (("inputs", mine.inputs, its.inputs), ("outputs", mine.outputs, its.outputs)):
            if wanted > have:
                raise InvalidInput(f"{field} of {name}", wanted, f"the model's layer has {have}: give at most that")
        if _deep(its):
            share = its.outputs // its.inputs
            if mine.groups != mine.inputs or mine.outputs != share * mine.inputs:
                fix = f"the layer is depthwise: give groups = inputs and outputs = {share} x inputs"
                raise InvalidInput(f"groups of {name}", mine.groups, fix)
        elif mine.groups != its.groups:
            raise InvalidInput(f"groups of {name}", mine.groups, f"the model's layer has {its.groups}")

    def save(self, path: str | Path) -> None:
        """Write it as JSON, a line a layer, whole or not at all."""
        rows = [
            f"    {json.dumps(n, ensure_ascii=False)}: {json.dumps({f: getattr(w, f) for f in FIELDS})}"
            for n, w in self.layers.items()
        ]
        body = ",\n".join(rows)
        files.write(Path(path), f'{{\n  "schema": "{SCHEMA}",\n  "layers": {{\n{body}\n  }}\n}}\n'.encode())

    @classmethod
    def load(cls, path: str | Path) -> Widths:
        """Read what :meth:`save` wrote, edited or not. Raises :class:`InvalidInput` naming the layer and the fix."""
        try:
            with Path(path).open("rb") as file:
                given = json.loads(file.read(LIMIT), object_pairs_hook=_once)
        except (OSError, ValueError, RecursionError) as error:
            if isinstance(error, InvalidInput):
                raise
            said = error.strerror if isinstance(error, OSError) else one_line(str(error))
            raise InvalidInput("widths file", str(path), f"it cannot be read ({said}): write it anew") from None
        schema = given.get("schema") if isinstance(given, dict) else None
        if schema != SCHEMA:
            raise InvalidInput("schema of widths file", schema, f"this version reads {SCHEMA}: write it anew")
        if not isinstance(given.get("layers"), dict) or set(given) != {"schema", "layers"}:
            raise InvalidInput("widths file", str(path), "it needs schema and layers, nothing else: write it anew")
        return cls({name: _read(name, row) for name, row in given["layers"].items()})

    def __str__(self) -> str:
        longest = max(map(len, self.layers), default=0)
        return "\n".join(
            f"{n:{longest}}  {w.kind:12} {w.inputs:5} -> {w.outputs:5}" + (f"  {w.groups} groups" * (w.groups > 1))
            for n, w in self.layers.items()
        )


def _sized(model: nn.Module) -> dict[str, nn.Module]:
    return {n: m for n, m in model.named_modules() if role(m) in (MIXES, PASSES)}


def _width(module: nn.Module) -> Width:
    kinds = (*CONVOLUTIONS, *TRANSPOSED, nn.Linear, *NORMS, nn.PReLU)
    kind = next(k for k in kinds if isinstance(module, k))
    return Width(kind.__name__, *sizes(module), groups(module))


def _deep(width: Width) -> bool:
    """Whether it is of a depthwise convolution."""
    return width.groups == width.inputs > 1


def _first(now: Width, wanted: Width) -> tuple[tuple[int, ...], None]:
    """The first input channels, of each group as many."""
    if _deep(now):
        return tuple(range(wanted.inputs)), None
    size, less = now.inputs // now.groups, wanted.inputs // now.groups
    return tuple(g * size + i for g in range(now.groups) for i in range(less)), None


def _read(name: str, row: Any) -> Width:
    if not isinstance(row, dict) or set(row) != set(FIELDS):
        raise InvalidInput(f"widths of {name}", row, f"give {', '.join(FIELDS)}")
    if row["kind"] not in KINDS:
        raise InvalidInput(f"kind of {name}", row["kind"], f"give one of {', '.join(KINDS)}")
    for field in FIELDS[1:]:
        value = row[field]
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise InvalidInput(f"{field} of {name}", value, "give a whole number, 1 or more")
    made = Width(**row)
    if made.groups > 1 and "Conv" not in made.kind:
        raise InvalidInput(f"groups of {name}", made.groups, f"a {made.kind} has 1")
    if made.inputs % made.groups or made.outputs % made.groups:
        fix = f"inputs {made.inputs} and outputs {made.outputs} have to be multiples of it"
        raise InvalidInput(f"groups of {name}", made.groups, fix)
    if (made.kind.startswith("BatchNorm") or made.kind == "PReLU") and made.inputs != made.outputs:
        raise InvalidInput(f"outputs of {name}", made.outputs, f"a {made.kind} has as many as inputs: {made.inputs}")
    return made


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [k for k, _ in pairs]
    twice = next((n for n in names if names.count(n) > 1), None)
    if twice is not None:
        raise InvalidInput(f"widths of {twice}", "there twice", "remove one of the two")
    return dict(pairs)


def _tried(model: nn.Module, example: Any) -> InvalidInput | None:
    """The refusal that names the layer at which ``model`` fails, if it does."""
    inputs: Inputs = example if isinstance(example, tuple) else (example,)
    entered: list[str] = []
    hooks = [
        m.register_forward_pre_hook(lambda module, given, n=n: entered.append(n)) for n, m in _sized(model).items()
    ]
    try:
        with quiet(), still(model):
            model(*inputs)
    except Exception as error:
        name = entered[-1] if entered else "the first layer"
        width = Widths.of(model).layers.get(name)
        text = one_line(str(error)).partition("\n")[0][:120]
        said = f"{width.inputs} -> {width.outputs}" if width else "given"
        return InvalidInput(f"widths of {name}", said, f"it does not fit the layers before it ({text})")
    finally:
        for hook in hooks:
            hook.remove()
    return None
