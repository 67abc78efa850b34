"""What a character model gains by learning one speaker of Shakespeare's plays on the device."""
