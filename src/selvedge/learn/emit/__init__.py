"""A learner as C99 for a microcontroller, beside the emitted step; and its state, back from the board."""
