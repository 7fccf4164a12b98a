"""The demo: machine sounds that are synthesised."""
