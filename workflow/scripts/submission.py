"""Rule submission: see src/asdlib/steps/submission.py."""

from asdlib.steps.command import run
from asdlib.steps.submission import submission

run(submission)
