"""Pictures in changing light and weather: what a device gains that goes on learning."""
