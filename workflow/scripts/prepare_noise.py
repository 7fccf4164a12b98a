"""Rule prepare_noise: see src/asdlib/steps/prepare_noise.py."""

from asdlib.steps.command import run_step

run_step("prepare_noise")
