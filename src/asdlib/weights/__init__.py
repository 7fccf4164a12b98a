"""Weights on disk, public weights and their formats."""
