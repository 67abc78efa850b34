"""Detectors of drift: one number a sample in, and whether what makes the numbers has changed."""
