"""nn.Module -> the same nn.Module with zeros among its weights, for kernels that store and multiply only the others."""

from .sparsified import Sparsified
from .sparsifier import Sparsifier, sparsify

__all__ = ["Sparsified", "Sparsifier", "sparsify"]
