"""Sparse weights against dense ones in native code: single layers, whole networks, an emulated Cortex-M4, and peers."""
