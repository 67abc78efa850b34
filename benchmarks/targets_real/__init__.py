"""int8 on real data: every target's answers beside those of our own runtime, end to end and layer by layer."""
