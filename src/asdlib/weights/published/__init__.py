"""Public weights: read without running code, and renamed to the parameter names of this library."""
