"""Bearing faults in vibration: a physical model over measured noise, or recordings of one's own."""
