"""Training examples and batches made from clips."""
