"""Rule submission: see src/asdlib/steps/submission.py."""

import asdlib.runtime.job_start  # noqa: F401
from asdlib.steps.command import run
from asdlib.steps.submission import submission

run(submission)
