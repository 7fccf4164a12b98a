"""Recordings on disk, clip tables, downloads and the demo."""
