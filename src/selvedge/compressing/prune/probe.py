"""Which channels hang together, found by trying: change one, and see which others change.

Every layer that mixes channels, and every fixed one, is replaced by one that gives prepared noise whatever it is given.
Between them channel stays channel: what a channel of one layer reaches - by norms, depthwise layers, sums, products,
concatenation, shuffles, flattening - is seen in what the next layers are given. Nothing has to be known of the
operations between, so none can be misunderstood: one that spreads over all channels (a softmax, a mean) ties them into
one. Output channels are told apart by the bits of their numbers, layers that reach no channel in common in one run: a
few hundred runs without a convolution in them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_flatten, tree_map

from ...capture.source import of_error
from ...errors import InvalidInput, NotSupported, one_line
from ..export import Inputs, quiet
from .kinds import FIXED, MIXES, PASSES, axes, groups, input_axis, role, sizes
from .union import Union

INPUT, OUTPUT = "the model's input", "the model's output"
SAMPLES = 2
ALONE = "prune the parts that it is made of one by one"
Changed = Mapping[str, torch.Tensor]  # layer -> [channels] bool; of a fixed layer and of the output one flag
Node = tuple[str, str, int]  # layer, side ("out", "in", "through"), channel


class Probe:
    """A copy of ``model`` that can be run with some channels changed."""

    def __init__(self, model: nn.Module, example: Inputs, seed: int) -> None:
        self.net = copy.deepcopy(model).eval()
        self.random = torch.Generator().manual_seed(seed)
        tied = _tied(self.net)
        self.roles = {n: (FIXED if n in tied else r) for n, m in self.net.named_modules() if (r := role(m)) is not None}
        self.layers = dict(self.net.named_modules())
        self._draw_tensors()
        self.inputs = self._inputs(example)
        self.other_inputs = tuple(self._other(x) for x in self.inputs)
        self.made: dict[tuple[str, int], tuple[Any, Any]] = {}
        self.turned: dict[str, torch.Tensor | None] = {}
        self.calls: dict[str, int] = {}
        self.seen: dict[tuple[str, int], list[torch.Tensor]] = {}
        self._record()
        self._replace()
        self.base = self._run({})
        if any(bool(flags.any()) for flags in self.changed({}).values()):
            fix = "mend what is random or keeps state in evaluation mode"
            raise InvalidInput("model", "another at every call", f"{fix}: the same input has to give the same")

    @property
    def mixing(self) -> list[str]:
        """The layers that mix and are used, in the order of their first use."""
        return [n for n in self.order if self.roles[n] == MIXES]

    @property
    def fixed(self) -> list[str]:
        return [n for n in self.order if self.roles[n] == FIXED]

    def changed(self, turned: Mapping[str, torch.Tensor | None]) -> Changed:
        """What is given to every layer otherwise, if these channels of these layers (None: all) are given otherwise."""
        now = self._run(turned)
        found: dict[str, torch.Tensor] = {}
        for (name, call), before in self.base.items():
            if (name, call) not in now:
                raise NotSupported("pruning this model", "", f"whether {name} is called depends on values: {ALONE}")
            flags = [_differ(a, b) for a, b in zip(before, now[name, call], strict=True)]
            if self.roles.get(name) in (MIXES, PASSES):
                moved = flags[0].movedim(input_axis(self.layers[name]), 0)
                here = moved.reshape(len(moved), -1).any(1)
            else:
                here = torch.stack([f.any() for f in flags] or [torch.tensor(False)]).any().reshape(1)
            found[name] = found[name] | here if name in found else here
        return found

    def _run(self, turned: Mapping[str, torch.Tensor | None]) -> dict[tuple[str, int], list[torch.Tensor]]:
        self.turned, self.calls, self.seen = dict(turned), {}, {}
        try:
            with quiet(), layer_by_layer(), torch.no_grad():
                out = self.net(*(self.other_inputs if INPUT in turned else self.inputs))
        except Exception as error:
            text = one_line((str(error).strip() or type(error).__name__).splitlines()[0])
            fix = f"shapes or branches depend on values between its layers ({text}): {ALONE}"
            raise NotSupported("pruning this model", of_error(error), fix) from error
        self.seen[OUTPUT, 0] = [t for t in tree_flatten(out)[0] if isinstance(t, torch.Tensor)]
        return self.seen

    def _inputs(self, example: Inputs) -> Inputs:
        """As many samples as are wanted, where the model takes any number; else those of the example."""
        wider = tuple(x[:1].expand(SAMPLES, *x.shape[1:]) if x.dim() else x for x in example)
        try:
            with quiet(), torch.no_grad():
                self.net(*wider)
        except Exception:
            wider = example
        return tuple(self._positive(x.shape) if x.dtype.is_floating_point else x.contiguous() for x in wider)

    def _other(self, x: torch.Tensor) -> torch.Tensor:
        if x.dtype.is_floating_point:
            return self._positive(x.shape)
        return x.flatten()[torch.randperm(x.numel(), generator=self.random)].reshape(x.shape)

    def _positive(self, shape: torch.Size) -> torch.Tensor:
        """Noise that a ReLU lets through, and that no ReLU6 cuts off."""
        return torch.rand(shape, generator=self.random) * 0.75 + 0.25

    def _draw_tensors(self) -> None:
        """Positive weights for what passes: a channel that happens to be dead would hide what it reaches."""
        for name, module in self.net.named_modules():
            if self.roles.get(name) == PASSES:
                for key in axes(module):
                    tensor = getattr(module, key)
                    fan = max(1, tensor[0].numel())
                    drawn = torch.zeros_like(tensor) if key == "running_mean" else self._positive(tensor.shape) / fan
                    tensor.data.copy_(drawn)

    def _record(self) -> None:
        """Run it once as it is, for the shapes of what the replaced layers give, and prepare their noise."""
        self.order: list[str] = []

        def watch(name: str) -> Callable[[nn.Module, Any, Any], None]:
            def hook(module: nn.Module, given: Any, out: Any) -> None:
                call = self.calls[name] = self.calls.get(name, -1) + 1
                if call == 0:
                    self.order.append(name)
                if self.roles[name] != PASSES:
                    self.made[name, call] = (tree_map(self._noise, out), tree_map(self._noise, out))

            return hook

        hooks = [self.layers[n].register_forward_hook(watch(n)) for n in self.roles]
        with quiet(), torch.no_grad():
            self.net(*self.inputs)
        for hook in hooks:
            hook.remove()

    def _noise(self, like: Any) -> Any:
        if isinstance(like, torch.Tensor) and like.dtype.is_floating_point:
            return self._positive(like.shape)
        return like

    def _replace(self) -> None:
        for name in self.order:
            module = self.layers[name]
            if self.roles[name] == PASSES:
                module.register_forward_pre_hook(self._watched(name), with_kwargs=True)
            else:
                module.forward = self._prepared(name)

    def _watched(self, name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(module: nn.Module, given: Any, named: Any) -> None:
            call = self.calls[name] = self.calls.get(name, -1) + 1
            self.seen[name, call] = [*given, *named.values()][:1]

        return hook

    def _prepared(self, name: str) -> Callable[..., Any]:
        axis = input_axis(self.layers[name])

        def forward(*given: Any, **named: Any) -> Any:
            call = self.calls[name] = self.calls.get(name, -1) + 1
            parts = given if self.roles[name] == MIXES and not named else tree_flatten((given, named))[0]
            self.seen[name, call] = [t for t in parts if isinstance(t, torch.Tensor)]
            base, other = self.made[name, call]
            if name not in self.turned:
                return base
            chosen = self.turned[name]
            if chosen is None:
                return other
            shape = [1] * base.dim()
            shape[axis] = -1
            return torch.where(chosen.reshape(shape), other, base)

        return forward


@contextmanager
def layer_by_layer() -> Iterator[None]:
    """PyTorch's transformer layers call the layers that they are made of, which in eval mode they else do not."""
    was = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(was)


def ties(probe: Probe) -> tuple[Union[Node], dict[Node, str]]:
    """(which channels hang together, channel -> why it cannot be cut)."""
    found, held = Union[Node](), dict[Node, str]()
    for source in (INPUT, *probe.fixed):
        for name, flags in probe.changed({source: None}).items():
            side = _side(probe, name)
            if side is not None:
                for j in flags.nonzero().flatten().tolist():
                    held.setdefault((name, side, j), f"comes from {source} too")
    reach: dict[str, Changed] = {}
    for name in probe.mixing:
        reach[name] = probe.changed({name: None})
        outside = next((k for k, v in reach[name].items() if _side(probe, k) is None and bool(v.any())), None)
        for i in range(sizes(probe.layers[name])[1]):
            found.add((name, "out", i))
            if outside is not None:
                held[name, "out", i] = f"goes into {outside}"
    for colour in _colours(reach):
        for name in _decoded(probe, colour, reach, found):
            _one_by_one(probe, name, found)
    for name in probe.mixing:
        _tie_groups(name, probe.layers[name], found)
    return found, held


def _side(probe: Probe, name: str) -> str | None:
    return {MIXES: "in", PASSES: "through"}.get(probe.roles.get(name, ""))


def _colours(reach: Mapping[str, Changed]) -> Iterator[list[str]]:
    """Layers in lists: no two of a list reach a channel in common."""
    lists: list[tuple[list[str], dict[str, torch.Tensor]]] = []
    for name, flags in reach.items():
        for members, taken in lists:
            if not any(bool((taken[k] & v).any()) for k, v in flags.items()):
                members.append(name)
                for k, v in flags.items():
                    taken[k] = taken[k] | v
                break
        else:
            lists.append(([name], dict(flags)))
    for members, _ in lists:
        yield members


def _decoded(probe: Probe, names: list[str], reach: Mapping[str, Changed], found: Union[Node]) -> list[str]:
    """Tie what each channel of these layers reaches; the layers whose channels meet again, which this cannot tell."""
    counts = {n: sizes(probe.layers[n])[1] for n in names}
    bits = max((max(counts.values()) - 1).bit_length(), 1)
    ones, zeros = [], []
    for bit in range(bits):
        sets = {n: (torch.arange(c) >> bit & 1).bool() for n, c in counts.items()}
        ones.append(probe.changed(sets))
        zeros.append(probe.changed({n: ~s for n, s in sets.items()}))
    unclear = []
    for name in names:
        edges: list[tuple[Node, Node]] = []
        for other, flags in reach[name].items():
            side = _side(probe, other)
            if side is None:
                continue
            high, low = torch.stack([c[other] for c in ones]), torch.stack([c[other] for c in zeros])
            number = (high.long() << torch.arange(bits)[:, None]).sum(0)
            clear = (high ^ low).all(0) & (number < counts[name])
            if bool((flags & ~clear).any()):
                unclear.append(name)
                break
            edges += [((name, "out", int(number[j])), (other, side, j)) for j in flags.nonzero().flatten().tolist()]
        else:
            for a, b in edges:
                found.join(a, b)
    return unclear


def _one_by_one(probe: Probe, name: str, found: Union[Node]) -> None:
    count = sizes(probe.layers[name])[1]
    for i in range(count):
        chosen = torch.zeros(count, dtype=torch.bool)
        chosen[i] = True
        for other, flags in probe.changed({name: chosen}).items():
            side = _side(probe, other)
            for j in flags.nonzero().flatten().tolist() if side else ():
                found.join((name, "out", i), (other, str(side), j))
        if len({found.root((name, "out", k)) for k in range(count)}) == 1:
            return  # all hang together already


def _tie_groups(name: str, module: nn.Module, found: Union[Node]) -> None:
    """A grouped convolution keeps its groups, so channel r of one goes with channel r of all."""
    share = groups(module)
    if share == 1:
        return
    for side, count in zip(("in", "out"), sizes(module), strict=True):
        size = count // share
        for j in range(size, count):
            found.join((name, side, j % size), (name, side, j))


def _differ(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    if a.shape != b.shape:
        return torch.ones_like(a, dtype=torch.bool)
    found = a != b
    return found & ~(torch.isnan(a) & torch.isnan(b)) if a.dtype.is_floating_point and bool(found.any()) else found


def _tied(net: nn.Module) -> set[str]:
    """The layers that share a parameter with another layer."""
    owners: dict[int, list[str]] = {}
    for name, module in net.named_modules():
        for parameter in module.parameters(recurse=False):
            owners.setdefault(id(parameter), []).append(name)
    return {n for names in owners.values() if len(names) > 1 for n in names}
