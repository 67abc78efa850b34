"""torchao's PT2E, imported in silence: the only place that names it. Never ``torch.ao``, which is deprecated.

torchao says on stderr which CUDA libraries it cannot load, and warns of types that it registers; neither is of use to
anyone who quantises for a microcontroller.
"""

from __future__ import annotations

import logging
import warnings

_before = logging.root.manager.disable
logging.disable(logging.WARNING)
try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torchao.quantization.pt2e.fake_quantize import FakeQuantize, FakeQuantizeBase
        from torchao.quantization.pt2e.observer import ObserverBase
        from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e, prepare_qat_pt2e
        from torchao.quantization.pt2e.quantizer import (
            FixedQParamsQuantizationSpec,
            QuantizationAnnotation,
            QuantizationSpec,
            Quantizer,
            SharedQuantizationSpec,
        )
        from torchao.quantization.pt2e.quantizer.quantizer import Q_ANNOTATION_KEY
finally:
    logging.disable(_before)

__all__ = [
    "Q_ANNOTATION_KEY",
    "FakeQuantize",
    "FakeQuantizeBase",
    "FixedQParamsQuantizationSpec",
    "ObserverBase",
    "QuantizationAnnotation",
    "QuantizationSpec",
    "Quantizer",
    "SharedQuantizationSpec",
    "convert_pt2e",
    "prepare_pt2e",
    "prepare_qat_pt2e",
]
