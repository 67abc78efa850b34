"""When a device may learn, how many steps and of which plan: within a day's energy, and never hot or empty."""
