"""What privacy costs: right answers against epsilon, and an audit of what is claimed."""
