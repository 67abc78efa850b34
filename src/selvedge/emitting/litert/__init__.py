"""What a ``.tflite`` file becomes beside itself: a C array for a microcontroller's flash."""

from .array import header, source

__all__ = ["header", "source"]
