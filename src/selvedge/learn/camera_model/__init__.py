"""What stands between a scene and the numbers that a model gets: light, air, rain, lens and sensor, in that order."""
