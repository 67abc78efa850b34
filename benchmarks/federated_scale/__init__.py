"""What a round of many devices costs the machine that simulates it."""
