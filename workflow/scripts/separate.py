"""Rule separate: see src/asdlib/steps/separate.py."""

from asdlib.steps.command import run_step

run_step("separate")
