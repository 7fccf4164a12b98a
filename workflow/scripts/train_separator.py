"""Rule train_separator: see src/asdlib/steps/train_separator.py."""

from asdlib.steps.command import run_step

run_step("train_separator")
