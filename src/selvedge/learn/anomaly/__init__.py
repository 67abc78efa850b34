"""Streams without labels: what was never seen before, scored as it comes, in a fixed number of bytes."""
