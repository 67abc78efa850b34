"""What a model does only while it learns: dropout, and batch norm over the batch itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from .. import ir
from ..artifact.layout import Layout
from ..errors import NotSupported

DRAWN = "dropout.drawn"  # steps that drew a mask, modulo 2^24, beyond which float32 could not count


@dataclass(slots=True)
class Live:
    """norms: batch norm takes the statistics of the batch and moves the running ones. seed: of the masks of dropout,
    which is off with None.

    ``drawn``: the leaf that counts, once a mask has asked for it.
    """

    norms: bool
    seed: int | None
    drawn: ir.Value | None = None
    masks: int = field(default=0)

    def mask(self, dtype: str) -> tuple[ir.Value, int]:
        """The count, and the salt of a mask of its own."""
        if self.drawn is None:
            self.drawn = ir.state_leaf(DRAWN, ir.Spec((), dtype), "optimizer", Layout.of(()))
        self.masks += 1
        salt = sha256(f"{self.seed} {self.masks}".encode()).digest()[:4]
        return self.drawn, int.from_bytes(salt, "little")

    @property
    def counted(self) -> dict[str, ir.Value]:
        """The count after a step, by its name; nothing if no mask is drawn."""
        if self.drawn is None:
            return {}
        more = ir.apply("add", self.drawn, ir.scalar(1, self.drawn))
        return {DRAWN: ir.apply("where", ir.apply("less", more, ir.scalar(2**24, more)), more, ir.scalar(0, more))}

    def require_known(self, model: nn.Module) -> None:
        """Raise ``NotSupported`` for a norm that would move its statistics by how many batches there were."""
        for name, module in model.named_modules():
            if self.norms and isinstance(module, _BatchNorm) and module.momentum is None and module.track_running_stats:
                what = f"{type(module).__name__} {name} with momentum=None, live"
                raise NotSupported(what, "", "give it a momentum, as 0.1, or leave norms frozen")

    @contextmanager
    def mode(self, model: nn.Module) -> Iterator[None]:
        """Each module in the mode that this says, for the time of the block; its own flag is put back."""
        flags = [(module, module.training) for module in model.modules()]
        for module, _ in flags:
            module.training = self.norms if isinstance(module, _BatchNorm) else self.seed is not None
        try:
            yield
        finally:
            for module, training in flags:
                module.training = training
