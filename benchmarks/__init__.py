"""Measurements: every table of the README is written by ``python -m benchmarks``."""
