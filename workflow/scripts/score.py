"""Rule score: see src/asdlib/steps/score.py."""

import asdlib.runtime.uncollected_imports  # noqa: F401
from asdlib.steps.command import run
from asdlib.steps.score import score

run(score)
