"""Rule score: see src/asdlib/steps/score.py."""

from asdlib.steps.command import run_step

run_step("score")
