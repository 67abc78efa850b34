"""ONNX files: int8 networks as QDQ models."""

from .write import written

__all__ = ["written"]
