"""Judges: whether a candidate may take the place of what predicts."""
