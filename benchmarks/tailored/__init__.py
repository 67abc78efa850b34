"""What a network that was chosen to learn gains over one that was chosen to predict, on people it has not met."""
