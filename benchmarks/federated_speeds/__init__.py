"""Buffered rounds beside over-selection, on devices of unequal speed."""
