"""Rule prepare: see src/asdlib/steps/prepare.py."""

from asdlib.steps.command import run_step

run_step("prepare")
