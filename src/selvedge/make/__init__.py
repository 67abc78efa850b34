"""The make road: a workstation's way from a PyTorch model to code that learns on a device."""
