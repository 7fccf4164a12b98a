"""Rule prepare_far: see src/asdlib/steps/prepare_far.py."""

from asdlib.steps.command import run_step

run_step("prepare_far")
