"""Rule augment: see src/asdlib/steps/augment.py."""

from asdlib.steps.command import run_step

run_step("augment")
