"""What a run will cost, before it starts: `asdlib plan`."""
