"""Rule extract_features: see src/asdlib/steps/extract_features.py."""

from asdlib.steps.command import run
from asdlib.steps.extract_features import extract_features

run(extract_features)
