"""Rule extract_features: see src/asdlib/steps/extract_features.py."""

import asdlib.runtime.job_start  # noqa: F401
from asdlib.steps.command import run
from asdlib.steps.extract_features import extract_features

run(extract_features)
