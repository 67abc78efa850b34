"""A library made of TVM's C: the same runtime."""

from .tvm import opened as opened
