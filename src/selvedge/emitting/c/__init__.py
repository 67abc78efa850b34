"""The C target: a plan as C99 with its weights and its manifest."""

from .bundle import Bundle, Description, bundle, write

__all__ = ["Bundle", "Description", "bundle", "write"]
