"""Backends fitted to a machine's training clips, and submission files."""
