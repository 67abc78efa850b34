"""Pictures in changing light and weather: what a device keeps that goes on learning, beside what it could do instead."""
