"""Rule prepare_far: see src/asdlib/steps/prepare_far.py."""

import asdlib.runtime.job_start  # noqa: F401
from asdlib.steps.command import run
from asdlib.steps.prepare_far import prepare_far

run(prepare_far)
