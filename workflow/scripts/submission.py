"""Rule submission: see src/asdlib/steps/submission.py."""

from asdlib.steps.command import run_step

run_step("submission")
