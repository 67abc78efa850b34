"""Fewer bytes for more work: what a program may let go, and makes again or reads back."""

from .descend import Price, least_any, save

__all__ = ["Price", "least_any", "save"]
