"""Rule label: see src/asdlib/steps/label.py."""

from asdlib.steps.command import run_step

run_step("label")
