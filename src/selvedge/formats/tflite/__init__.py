"""The ``.tflite`` file: read without LiteRT and without trust, and what its int8 operators compute."""

from .compute import compute, steps
from .model import Model, Operator, Tensor
from .read import parse, read

__all__ = ["Model", "Operator", "Tensor", "compute", "parse", "read", "steps"]
