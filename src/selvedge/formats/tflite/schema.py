"""The fields of the TensorFlow Lite schema that are read: numbers of fields, kinds and defaults.

Source: ``schema.fbs``, version 3c (file identifier TFL3), as ai-edge-litert 2.3 generates it. A field's number is its
place in its table; its vtable offset is 4 + 2 * number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType

IDENTIFIER = b"TFL3"
VERSION = 3


class ModelField(IntEnum):
    VERSION, OPERATOR_CODES, SUBGRAPHS, DESCRIPTION, BUFFERS = range(5)
    SIGNATURE_DEFS = 7


class CodeField(IntEnum):
    DEPRECATED_BUILTIN_CODE, CUSTOM_CODE, VERSION, BUILTIN_CODE = range(4)


class SubgraphField(IntEnum):
    TENSORS, INPUTS, OUTPUTS, OPERATORS, NAME = range(5)


class SignatureField(IntEnum):
    INPUTS, OUTPUTS, KEY = range(3)
    SUBGRAPH = 4


class NamedField(IntEnum):
    NAME, TENSOR = range(2)


class BufferField(IntEnum):
    DATA, OFFSET, SIZE = range(3)


class TensorField(IntEnum):
    SHAPE, TYPE, BUFFER, NAME, QUANTIZATION, IS_VARIABLE, SPARSITY = range(7)
    EXTERNAL_BUFFER = 10


class QuantizationField(IntEnum):
    SCALE, ZERO_POINT, DETAILS_TYPE, DETAILS, QUANTIZED_DIMENSION = range(2, 7)


class OperatorField(IntEnum):
    OPCODE_INDEX, INPUTS, OUTPUTS, OPTIONS_TYPE, OPTIONS = range(5)


# TensorType -> numpy's name, for the types whose elements are whole bytes.
DTYPES: Mapping[int, str] = MappingProxyType(
    {
        0: "float32", 1: "float16", 2: "int32", 3: "uint8", 4: "int64", 6: "bool", 7: "int16", 9: "int8",
        10: "float64", 12: "uint64", 15: "uint32", 16: "uint16",
    }
)  # fmt: skip

RESOURCE = 13  # the type of a handle of a variable

PADDING = ("same", "valid")
ACTIVATION = ("none", "relu", "relu_n1_to_1", "relu6", "tanh", "sign_bit")
WEIGHTS_FORMAT = ("default", "shuffled4x16int8")


@dataclass(frozen=True, slots=True)
class Option:
    """One field of an options table. ``code``: that of ``struct``, or the names of an enum in order, or "bool", or
    "text"."""

    name: str
    number: int
    code: str | tuple[str, ...]
    default: int | float = 0
    least: float | None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """One operator: its BuiltinOperator number, its name, how many inputs, the BuiltinOptions number and its fields.

    All that are read have one output.
    """

    number: int
    name: str
    inputs: tuple[int, int]
    options_type: int = 0
    options: tuple[Option, ...] = ()


def _strides(first: int) -> tuple[Option, ...]:
    return Option("stride_w", first, "i", least=1), Option("stride_h", first + 1, "i", least=1)


def _dilations(first: int) -> tuple[Option, ...]:
    return Option("dilation_w", first, "i", 1, least=1), Option("dilation_h", first + 1, "i", 1, least=1)


_PADDING = Option("padding", 0, PADDING)
_POOL = (
    _PADDING, *_strides(1), Option("kernel_w", 3, "i", least=1), Option("kernel_h", 4, "i", least=1),
    Option("activation", 5, ACTIVATION),
)  # fmt: skip
_LINEAR = (
    Option("activation", 0, ACTIVATION), Option("weights_format", 1, WEIGHTS_FORMAT), Option("keep_dims", 2, "bool"),
)  # fmt: skip
_MASKS = (
    *(Option(f"{name}_mask", n, "i") for n, name in enumerate(("begin", "end", "ellipsis", "new_axis", "shrink_axis"))),
    Option("offset", 5, "bool"),
)
MANY = 1 << 10

OPERATORS: Mapping[int, Kind] = MappingProxyType(
    {
        kind.number: kind
        for kind in (
            Kind(0, "ADD", (2, 2), 11, (Option("activation", 0, ACTIVATION),)),
            Kind(1, "AVERAGE_POOL_2D", (1, 1), 5, _POOL),
            Kind(2, "CONCATENATION", (1, MANY), 10, (Option("axis", 0, "i"), Option("activation", 1, ACTIVATION))),
            Kind(
                3, "CONV_2D", (2, 3), 1,
                (_PADDING, *_strides(1), Option("activation", 3, ACTIVATION), *_dilations(4)),
            ),
            Kind(
                4, "DEPTHWISE_CONV_2D", (2, 3), 2,
                (_PADDING, *_strides(1), Option("depth_multiplier", 3, "i"), Option("activation", 4, ACTIVATION),
                 *_dilations(5)),
            ),
            Kind(6, "DEQUANTIZE", (1, 1), 38),
            Kind(9, "FULLY_CONNECTED", (2, 3), 8, _LINEAR),
            Kind(14, "LOGISTIC", (1, 1)),
            Kind(17, "MAX_POOL_2D", (1, 1), 5, _POOL),
            Kind(18, "MUL", (2, 2), 21, (Option("activation", 0, ACTIVATION),)),
            Kind(19, "RELU", (1, 1)),
            Kind(20, "RELU_N1_TO_1", (1, 1)),
            Kind(21, "RELU6", (1, 1)),
            Kind(22, "RESHAPE", (1, 2), 17),
            Kind(25, "SOFTMAX", (1, 1), 9, (Option("beta", 0, "f", 0.0, least=0),)),
            Kind(28, "TANH", (1, 1)),
            Kind(34, "PAD", (2, 2)),
            Kind(39, "TRANSPOSE", (2, 2)),
            Kind(40, "MEAN", (2, 2), 27, (Option("keep_dims", 0, "bool"),)),
            Kind(36, "GATHER", (2, 2), 23, (Option("axis", 0, "i"), Option("batch_dims", 1, "i"))),
            Kind(45, "STRIDED_SLICE", (4, 4), 32, _MASKS),
            Kind(53, "CAST", (1, 1)),
            Kind(60, "PADV2", (3, 3)),
            Kind(97, "RESIZE_NEAREST_NEIGHBOR", (2, 2), 74, (Option("corners", 0, "bool"), Option("half", 1, "bool"))),
            Kind(114, "QUANTIZE", (1, 1), 89),
        )
    }
)  # fmt: skip
