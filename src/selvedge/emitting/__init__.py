"""Plan -> artifact: the one bridge between the host wing and the device wing."""
