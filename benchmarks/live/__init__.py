"""What a device gains that goes on learning: recipes on real data, beside what one could do instead."""
