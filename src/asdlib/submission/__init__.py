"""The challenge's package: its contents, meta files and checks."""
