"""Intermediate features by module path: which there are, and what they are in one forward call.

Hooks live as long as one call. A module that is called several times, or whose output the next one changes in place,
has no one feature; it is refused by name. Of :class:`selvedge.QAT` the features are the fake-quantised tensors, under
the paths that the float model has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from torch import Tensor, nn
from torch.fx import GraphModule, Node

from ...errors import InvalidInput
from ..still import still

Inputs = tuple[Tensor, ...]
# What computes along the last axis, and what along the second; an activation goes by what was before it.
LAST = ("Linear", "LayerNorm", "RMSNorm", "Embedding", "MultiheadAttention", "TransformerEncoderLayer")
CHANGED = "the next layer changes it in place: name that one"
SECOND = ("Conv", "BatchNorm", "GroupNorm", "InstanceNorm", "Pool")


@dataclass(frozen=True, slots=True)
class Feature:
    """``shape``: without the batch, channels first. last: whether the module itself has channels last. depth: the share
    of the layers that are done by then, 0 to 1. kind: the module's type."""

    path: str
    shape: tuple[int, ...]
    last: bool = False
    depth: float = 1.0
    kind: str = ""

    @property
    def sides(self) -> tuple[int, ...]:
        """The positions; () for a vector, and for a map of one position."""
        return () if all(side == 1 for side in self.shape[1:]) else self.shape[1:]

    def __str__(self) -> str:
        return f"{self.path} {'x'.join(map(str, (self.shape[0], *self.sides)))}"

    def of(self, value: Tensor) -> Tensor:
        """``value`` as the module gave it -> [N, C, ...], [N, C] for a vector."""
        if self.last and value.dim() > 2:
            value = value.movedim(-1, 1)
        return value if self.sides else value.flatten(1)


@dataclass(frozen=True, slots=True)
class Site:
    """Where a feature is taken: the output of the call number ``call`` of ``module``; None: it is called but once."""

    module: nn.Module
    kind: str
    call: int | None = None


@dataclass(frozen=True, slots=True)
class Traced:
    """The output, the features that can be used, in order of execution, and why the others cannot: path -> reason."""

    output: Any
    features: tuple[Feature, ...]
    refused: Mapping[str, str]

    def named(self, who: str, path: str) -> Feature:
        """The feature ``path``. Raises ``InvalidInput`` with what was meant."""
        found = {f.path: f for f in self.features}
        if path in found:
            return found[path]
        if path in self.refused:
            raise InvalidInput(f"layer of the {who}", path, self.refused[path])
        near = get_close_matches(path, found, 1, 0.5)
        meant = f"did you mean {near[0]}? " if near else ""
        known = ", ".join(list(found)[:12]) + (", ..." if len(found) > 12 else "")
        raise InvalidInput(f"layer of the {who}", path, f"{meant}it has {known or 'no features'}")


def sites(model: nn.Module) -> dict[str, Site]:
    """Path -> site, of every module but the whole."""
    prepared = getattr(model, "prepared", None)
    if isinstance(prepared, GraphModule):
        return _quantised_sites(prepared)
    return {path: Site(m, type(m).__name__) for path, m in model.named_modules() if path}


@contextmanager
def watched(places: Mapping[str, Site], changes: dict[str, int] | None = None) -> Iterator[dict[str, Any]]:
    """What the sites give in the block, by path, in order of execution; of one that is called again, a list under
    ``path``. changes: takes each tensor's version when it was seen."""
    seen: dict[str, Any] = {}
    handles = []
    calls: dict[str, int] = {}

    def keep(path: str, site: Site) -> Any:
        def hook(module: nn.Module, given: Any, output: Any) -> None:
            number = calls.get(path, 0)
            calls[path] = number + 1
            if site.call is not None and number != site.call:
                return
            if site.call is None and number:
                output = Again()
            seen[path] = output
            if changes is not None and isinstance(output, Tensor):
                changes[path] = output._version

        return hook

    try:
        for path, site in places.items():
            handles.append(site.module.register_forward_hook(keep(path, site)))
        yield seen
    finally:
        for handle in handles:
            handle.remove()


class Again:
    """In place of the output of a module that was called several times."""


def traced(model: nn.Module, inputs: Inputs) -> Traced:
    """Run ``model`` once, in evaluation mode, and list its features. The model is left as it was."""
    places = sites(model)
    versions: dict[str, int] = {}
    with still(model), watched(places, versions) as seen:
        output = model(*inputs)
    leaves = [p for p in seen if not any(other.startswith(f"{p}.") for other in places)]
    refused: dict[str, str] = {p: "it is not called: name a layer that is" for p in places if p not in seen}
    made: list[Feature] = []
    last, done = False, 0
    for path, value in seen.items():
        done += path in leaves
        last = _last(places[path], last)
        reason = _unusable(value, output, versions.get(path), len(inputs[0]))
        if reason:
            refused[path] = reason
            continue
        shape = value.shape[1:]
        first = last and len(shape) > 1
        whole = (shape[-1], *shape[:-1]) if first else tuple(shape)
        made.append(Feature(path, tuple(whole), first, done / max(1, len(leaves)), places[path].kind))
    return Traced(output, tuple(made), refused)


def chosen(model: nn.Module, paths: Iterable[str]) -> dict[str, Site]:
    """The sites of ``paths`` alone."""
    known = sites(model)
    return {path: known[path] for path in paths}


def _unusable(value: Any, output: Any, version: int | None, count: int) -> str | None:
    if isinstance(value, Again):
        return "it is called several times: name a layer that is called once, as the block around it"
    if not isinstance(value, Tensor):
        return f"it gives a {type(value).__name__}: name a layer that gives a tensor"
    if not value.dtype.is_floating_point or value.dim() < 2 or len(value) != count:
        return f"it gives {value.dtype} {list(value.shape)}: name a layer that gives [N, channels, ...] in float"
    if value._version != version:
        return CHANGED
    if isinstance(output, Tensor) and value.shape == output.shape and value.data_ptr() == output.data_ptr():
        return "it gives the logits: that is what sv.Logits() compares"
    return None


def _last(site: Site, before: bool) -> bool:
    kinds = [site.kind, *(type(m).__name__ for m in site.module.modules())]
    if any(second in kind for kind in kinds for second in SECOND):
        return False
    return True if any(kind in LAST for kind in kinds) else before


def _quantised_sites(prepared: GraphModule) -> dict[str, Site]:
    """Of a graph with fake quantisation: path -> the quantiser of what the module gives."""
    ends: dict[str, tuple[Node, str]] = {}
    for node in prepared.graph.nodes:
        if node.op != "call_function":
            continue
        stack = [(str(entry[0]), str(entry[1])) for entry in (node.meta.get("nn_module_stack") or {}).values()]
        for path, kind in stack:
            if path:
                ends.pop(path, None)
                ends[path] = (node, kind)
    number: dict[int, int] = {}
    calls: dict[str, tuple[nn.Module, int]] = {}
    for node in prepared.graph.nodes:
        if node.op == "call_module":
            module = prepared.get_submodule(str(node.target))
            calls[node.name] = (module, number.get(id(module), 0))
            number[id(module)] = calls[node.name][1] + 1
    made = {}
    for path, (node, kind) in ends.items():
        behind = [user.name for user in node.users if user.name in calls]
        if len(behind) == 1 and len(node.users) == 1:
            module, call = calls[behind[0]]
            made[path] = Site(module, kind.rpartition(".")[2].strip("'>"), call)
    return made
