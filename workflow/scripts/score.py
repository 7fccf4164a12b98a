"""Rule score: see src/asdlib/steps/score.py."""

from asdlib.steps.command import run
from asdlib.steps.score import score

run(score)
