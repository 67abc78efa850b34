"""torch's operators ``quantized_decomposed``, which int8 rows are in ATen: registered before one is called."""

from __future__ import annotations

import logging
import warnings
from importlib import import_module

from ...errors import InvalidInput

NAMESPACE = b"quantized_decomposed"
QUANTISED = ("torchao.quantization.pt2e.quantize_pt2e", "torch.ao.quantization.fx._decomposed")
"""The modules that register them; the first that is there."""


def register() -> None:
    """Nothing where they are there already. Raises :class:`InvalidInput` where torch has no such module any more."""
    library = import_module("torch").ops.quantized_decomposed
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)  # torchao tells of each library for other machines that it does not find
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for name in QUANTISED:
                if hasattr(library, "quantize_per_tensor"):
                    return
                try:
                    import_module(name)
                except ImportError:
                    continue
    finally:
        logging.disable(before)
    if not hasattr(library, "quantize_per_tensor"):
        raise InvalidInput("torchao", "missing", "int8 in ATen needs it: pip install 'torchao>=0.18,<0.19'")
