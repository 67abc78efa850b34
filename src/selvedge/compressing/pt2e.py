"""torchao's PT2E, imported in silence: the only place that names it. Never ``torch.ao``, which is deprecated.

Its QAT exports twelve patterns on each call, a second or two each, whatever the model holds: here those of the
convolutions that are there, once a process.

torchao says on stderr which CUDA libraries it cannot load, and warns of types that it registers; neither is of use to
anyone who quantises for a microcontroller.
"""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.fx import GraphModule

_before = logging.root.manager.disable
logging.disable(logging.WARNING)
try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torchao.quantization.pt2e import qat_utils
        from torchao.quantization.pt2e.fake_quantize import FakeQuantize, FakeQuantizeBase
        from torchao.quantization.pt2e.observer import ObserverBase
        from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
        from torchao.quantization.pt2e.quantize_pt2e import prepare_qat_pt2e as _prepare_qat
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

_patterns: dict[tuple[Any, ...], GraphModule] = {}


def prepare_qat_pt2e(graph: GraphModule, quantizer: Quantizer) -> Any:
    """torchao's, which sees each pattern once."""
    with _patterns_once():
        return _prepare_qat(graph, quantizer)


@contextmanager
def _patterns_once() -> Iterator[None]:
    fuse, export = qat_utils._fuse_conv_bn_qat_helper, qat_utils._get_aten_graph_module_for_pattern

    def fused(graph: GraphModule, function: Callable[..., Any], *given: Any, **named: Any) -> GraphModule:
        aten = getattr(torch.ops.aten, function.__name__)
        there = any(getattr(node.target, "overloadpacket", None) is aten for node in graph.graph.nodes)
        return fuse(graph, function, *given, **named) if there else graph

    def exported(pattern: Any, example: tuple[torch.Tensor, ...], is_cuda: bool = False, **named: Any) -> GraphModule:
        inner = pattern.fn
        held = tuple(cell.cell_contents for cell in inner.__closure__ or ())
        key = (inner.__qualname__, held, tuple(x.shape for x in example), is_cuda, tuple(sorted(named.items())))
        if key not in _patterns:
            _patterns[key] = export(pattern, example, is_cuda, **named)
        return copy.deepcopy(_patterns[key])

    qat_utils._fuse_conv_bn_qat_helper, qat_utils._get_aten_graph_module_for_pattern = fused, exported
    try:
        yield
    finally:
        qat_utils._fuse_conv_bn_qat_helper, qat_utils._get_aten_graph_module_for_pattern = fuse, export
