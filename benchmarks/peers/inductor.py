"""``torch.compile`` with its default backend, inductor, on the CPU: forward, loss and backward in generated C++."""

from __future__ import annotations

import torch

from ..work import WithLoss, Work
from .contestant import Contestant, Failed, Missing, reason, silenced
from .pytorch import contestant


def prepare(work: Work) -> Contestant:
    cxx()
    module = WithLoss(work.model())
    torch._dynamo.reset()
    compiled = torch.compile(module, dynamic=False)
    try:
        with silenced():
            return contestant(work, module, compiled)
    except Exception as error:
        raise Failed(reason(error)) from error


def cxx() -> str:
    """The C++ compiler that inductor would take."""
    from torch._inductor.cpp_builder import get_cpp_compiler
    from torch._inductor.exc import InvalidCxxCompiler

    try:
        return str(get_cpp_compiler())
    except InvalidCxxCompiler:
        raise Missing("no C++ compiler: install g++") from None
