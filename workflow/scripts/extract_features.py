"""Rule extract_features: see src/asdlib/steps/extract_features.py."""

from asdlib.steps.command import run_step

run_step("extract_features")
