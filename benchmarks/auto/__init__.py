"""What to update: ``update="auto"`` beside last-K, biases, random sets and everything, at equal bytes, on real data."""
