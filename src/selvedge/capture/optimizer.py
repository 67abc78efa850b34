"""Optimisers as graph formulas, each PyTorch's single-tensor implementation, with their state named.

State of parameter "conv.weight" is called "conv.weight.momentum" and so on; what all parameters share,
"optimizer.*". Everything starts at zero. Clipping by the norm, and state in fewer bytes, are no formula of an
optimiser's own: :mod:`.clip` and :mod:`.compact` stand round any of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from .. import ir
from ..artifact.number import finite
from ..errors import InvalidInput

STATE_DTYPES = ("bfloat16", "int8")

Values = Mapping[str, ir.Value]


class Optimizer(Protocol):
    """``slots``: suffixes of the state a parameter has; ``squares``: those of them that are never negative. ``shared``:
    suffixes of the scalars all parameters share.

    ``clip_norm``: the most that all gradients' common 2-norm may be (None: any). ``state_dtype``: "bfloat16" or "int8"
    for the slots (None: as the parameter).

    ``advance(shared)``: the scalars' new values. ``update(w, g, lr, slots, shared)``: the new parameter and its
    new slots; ``shared`` are the scalars as :meth:`advance` left them, unless said otherwise.
    """

    @property
    def lr(self) -> float: ...

    @property
    def clip_norm(self) -> float | None: ...

    @property
    def state_dtype(self) -> str | None: ...

    @property
    def slots(self) -> tuple[str, ...]: ...

    @property
    def squares(self) -> tuple[str, ...]: ...

    @property
    def shared(self) -> tuple[str, ...]: ...

    def advance(self, old: Values) -> dict[str, ir.Value]: ...

    def update(
        self, w: ir.Value, g: ir.Value, lr: ir.Value, slots: Values, shared: Values
    ) -> tuple[ir.Value, dict[str, ir.Value]]: ...


def _plus(a: ir.Value, b: ir.Value, factor: float = 1.0) -> ir.Value:
    """a + factor * b."""
    return ir.apply("add", a, ir.scale(b, factor))


def _times(a: ir.Value, b: ir.Value) -> ir.Value:
    return ir.apply("mul", a, b)


def _descend(w: ir.Value, direction: ir.Value, lr: ir.Value) -> ir.Value:
    """w - lr * direction; of a table of which fewer rows were read than it has, those rows alone."""
    whole = direction.node.inputs[0] if direction.node.op == "reshape" else direction
    if whole.node.op != "scatter_add":
        return ir.apply("sub", w, _times(direction, lr))
    dy, index = whole.node.inputs
    if dy.shape[1] > whole.shape[1]:
        return ir.apply("sub", w, _times(direction, lr))
    table, back = ir.reshape(w, whole.shape), ir.apply("neg", _times(dy, lr))
    return ir.reshape(ir.apply("scatter_onto", table, back, index, skip=whole.node.attrs["skip"]), w.shape)


def _clipped(g: ir.Value, bound: float | None) -> ir.Value:
    """clip_grad_value_: every element to -bound..bound."""
    return g if bound is None else ir.apply("clamp", g, min=-float(bound), max=float(bound))


def _decayed(w: ir.Value, g: ir.Value, weight_decay: float) -> ir.Value:
    return _plus(g, w, weight_decay) if weight_decay else g


def _within(owner: object, **bounds: tuple[float, float | None]) -> None:
    """Each field is a number in low <= value < high (None: no upper end), and becomes a python float."""
    for field, (low, high) in bounds.items():
        object.__setattr__(owner, field, _bounded(owner, field, getattr(owner, field), low, high))


def _bounded(owner: object, field: str, value: object, low: float, high: float | None) -> float:
    number = finite(value)
    if number is None:
        raise InvalidInput(f"{type(owner).__name__} {field}", value, "it must be a finite number")
    if not (number >= low and (high is None or number < high)):
        allowed = f"it must be >= {low:g}" + ("" if high is None else f" and < {high:g}")
        raise InvalidInput(f"{type(owner).__name__} {field}", value, allowed)
    return number


def _options(owner: SGD | Adam | RMSProp) -> None:
    """What every optimiser takes: at most one way of clipping, and the type of its state."""
    name = type(owner).__name__
    for field in ("clip_value", "clip_norm"):
        if getattr(owner, field) is not None:
            _within(owner, **{field: (0, None)})
    if owner.clip_value is not None and owner.clip_norm is not None:
        raise InvalidInput(f"{name} clip_norm", owner.clip_norm, "give clip_value or clip_norm, not both")
    if owner.state_dtype is None:
        return
    if owner.state_dtype not in STATE_DTYPES:
        raise InvalidInput(f"{name} state_dtype", owner.state_dtype, f"give one of {', '.join(STATE_DTYPES)}, or None")
    if not owner.slots:
        raise InvalidInput(f"{name} state_dtype", owner.state_dtype, "there is no state without momentum: leave it out")


def _flag(owner: object, field: str, value: object) -> None:
    if not isinstance(value, bool):
        raise InvalidInput(f"{type(owner).__name__} {field}", value, "give True or False")


@dataclass(frozen=True, slots=True)
class SGD:
    """Stochastic gradient descent: ``torch.optim.SGD``.

    In every optimiser ``clip_value`` bounds each element of the gradients first, as ``clip_grad_value_``;
    ``clip_norm`` scales them all so that their common 2-norm is at most that, as ``clip_grad_norm_``; ``state_dtype``
    "bfloat16" or "int8" keeps its state in 2 bytes or 1 1/16 a parameter and number instead of the model's own type.

    With dampening, PyTorch's first step takes the undamped gradient: "optimizer.started" is 0 then and 1 later.
    """

    lr: float
    momentum: float = 0.0
    dampening: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0
    clip_value: float | None = None
    clip_norm: float | None = None
    state_dtype: str | None = None

    def __post_init__(self) -> None:
        _within(self, lr=(0, None), momentum=(0, None), dampening=(0, None), weight_decay=(0, None))
        _flag(self, "nesterov", self.nesterov)
        if self.nesterov and (self.momentum == 0 or self.dampening != 0):
            raise InvalidInput("SGD nesterov", True, "it needs momentum > 0 and dampening = 0")
        _options(self)

    @property
    def slots(self) -> tuple[str, ...]:
        return ("momentum",) if self.momentum else ()

    @property
    def squares(self) -> tuple[str, ...]:
        return ()

    @property
    def shared(self) -> tuple[str, ...]:
        return ("started",) if self.momentum and self.dampening else ()

    def advance(self, old: Values) -> dict[str, ir.Value]:
        return {name: ir.scalar(1, value) for name, value in old.items()}

    def update(
        self, w: ir.Value, g: ir.Value, lr: ir.Value, slots: Values, shared: Values
    ) -> tuple[ir.Value, dict[str, ir.Value]]:
        g = _decayed(w, _clipped(g, self.clip_value), self.weight_decay)
        if not self.momentum:
            return _descend(w, g, lr), {}
        added = g
        if self.dampening:
            share = ir.apply("sub", ir.scalar(1, g), ir.scale(shared["started.old"], self.dampening))
            added = _times(g, share)
        velocity = ir.apply("add", ir.scale(slots["momentum"], self.momentum), added)
        step = _plus(g, velocity, self.momentum) if self.nesterov else velocity
        return _descend(w, step, lr), {"momentum": velocity}


@dataclass(frozen=True, slots=True)
class Adam:
    """Kingma and Ba, "Adam" (2015), algorithm 1: ``torch.optim.Adam``, or ``AdamW`` when ``decoupled``.

    The bias corrections 1 - beta^t are kept as such, by c <- beta c + (1 - beta): in float32, subtracting a power
    near 1 from 1 would lose four digits in the first steps.
    """

    lr: float
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    decoupled: bool = False
    clip_value: float | None = None
    clip_norm: float | None = None
    state_dtype: str | None = None

    def __post_init__(self) -> None:
        if not (isinstance(self.betas, tuple) and len(self.betas) == 2):
            raise InvalidInput("Adam betas", self.betas, "give a pair, as (0.9, 0.999)")
        first, second = (_bounded(self, f"beta{i}", beta, 0, 1) for i, beta in enumerate(self.betas, 1))
        object.__setattr__(self, "betas", (first, second))
        _within(self, lr=(0, None), eps=(0, None), weight_decay=(0, None))
        _flag(self, "decoupled", self.decoupled)
        _options(self)

    @property
    def slots(self) -> tuple[str, ...]:
        return ("exp_avg", "exp_avg_sq")

    @property
    def squares(self) -> tuple[str, ...]:
        return ("exp_avg_sq",)

    @property
    def shared(self) -> tuple[str, ...]:
        return ("beta1_correction", "beta2_correction")

    def advance(self, old: Values) -> dict[str, ir.Value]:
        return {
            name: ir.apply("add", ir.scale(old[name], beta), ir.scalar(1 - beta, old[name]))
            for name, beta in zip(self.shared, self.betas, strict=True)
        }

    def update(
        self, w: ir.Value, g: ir.Value, lr: ir.Value, slots: Values, shared: Values
    ) -> tuple[ir.Value, dict[str, ir.Value]]:
        g = _clipped(g, self.clip_value)
        if self.weight_decay and self.decoupled:
            w = _times(w, ir.apply("sub", ir.scalar(1, w), ir.scale(lr, self.weight_decay)))
        elif self.weight_decay:
            g = _decayed(w, g, self.weight_decay)
        beta1, beta2 = self.betas
        first = _plus(ir.scale(slots["exp_avg"], beta1), g, 1 - beta1)
        second = _plus(ir.scale(slots["exp_avg_sq"], beta2), ir.apply("square", g), 1 - beta2)
        root = ir.apply("div", ir.apply("sqrt", second), ir.apply("sqrt", shared["beta2_correction"]))
        ratio = ir.apply("div", first, ir.apply("add", root, ir.scalar(self.eps, w)))
        rate = ir.apply("div", lr, shared["beta1_correction"])
        return _descend(w, ratio, rate), {"exp_avg": first, "exp_avg_sq": second}


@dataclass(frozen=True, slots=True)
class RMSProp:
    """Tieleman and Hinton (2012), lecture 6.5, as ``torch.optim.RMSprop`` (not centred)."""

    lr: float
    alpha: float = 0.99
    eps: float = 1e-8
    momentum: float = 0.0
    weight_decay: float = 0.0
    clip_value: float | None = None
    clip_norm: float | None = None
    state_dtype: str | None = None

    def __post_init__(self) -> None:
        _within(self, lr=(0, None), alpha=(0, None), eps=(0, None), momentum=(0, None), weight_decay=(0, None))
        _options(self)

    @property
    def slots(self) -> tuple[str, ...]:
        return ("square_avg", "momentum") if self.momentum else ("square_avg",)

    @property
    def squares(self) -> tuple[str, ...]:
        return ("square_avg",)

    @property
    def shared(self) -> tuple[str, ...]:
        return ()

    def advance(self, old: Values) -> dict[str, ir.Value]:
        return {}

    def update(
        self, w: ir.Value, g: ir.Value, lr: ir.Value, slots: Values, shared: Values
    ) -> tuple[ir.Value, dict[str, ir.Value]]:
        g = _decayed(w, _clipped(g, self.clip_value), self.weight_decay)
        second = _plus(ir.scale(slots["square_avg"], self.alpha), ir.apply("square", g), 1 - self.alpha)
        step = ir.apply("div", g, ir.apply("add", ir.apply("sqrt", second), ir.scalar(self.eps, w)))
        if not self.momentum:
            return _descend(w, step, lr), {"square_avg": second}
        velocity = ir.apply("add", ir.scale(slots["momentum"], self.momentum), step)
        return _descend(w, velocity, lr), {"square_avg": second, "momentum": velocity}
