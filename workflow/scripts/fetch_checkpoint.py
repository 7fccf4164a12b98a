"""Rule fetch_checkpoint: see src/asdlib/steps/fetch_checkpoint.py."""

from asdlib.steps.command import run_step

run_step("fetch_checkpoint")
