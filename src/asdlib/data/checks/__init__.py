"""Checks of recordings before a run. They read, change nothing, and return one line for each kind of problem."""
