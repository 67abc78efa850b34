"""Streaming anomaly detection on the Numenta Anomaly Benchmark."""
