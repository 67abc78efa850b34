"""A user's own data as arrays for a model: images, sounds, tables, arrays. numpy, Pillow for images, no torch."""

from .dataset import Dataset, Part, Rows
from .load import load, survey

__all__ = ["Dataset", "Part", "Rows", "load", "survey"]
