"""Rule score: see src/asdlib/steps/score.py."""

import asdlib.runtime.job_start  # noqa: F401
from asdlib.steps.command import run
from asdlib.steps.score import score

run(score)
