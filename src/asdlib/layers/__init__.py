"""Layers that know no clip, used by several models."""
