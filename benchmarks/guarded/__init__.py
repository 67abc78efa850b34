"""Rates that are found, labels that are doubted, collapse that is taken back."""
