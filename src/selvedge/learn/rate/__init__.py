"""How fast to learn, and of how many samples at once: found on the device."""
