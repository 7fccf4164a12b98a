"""Rule illustrate: see src/asdlib/steps/illustrate.py."""

from asdlib.steps.command import run_step

run_step("illustrate")
