"""Rule train_model: see src/asdlib/steps/train_model.py."""

from asdlib.steps.command import run_step

run_step("train_model")
