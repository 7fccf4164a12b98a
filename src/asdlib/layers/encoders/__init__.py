"""Encoders under the parameter names of their public weights."""
