"""What a step lowers besides the loss of labelled samples."""
