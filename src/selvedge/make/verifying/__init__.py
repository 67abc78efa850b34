"""What a runtime computes beside a reference, by target."""
