"""Rule prepare_far: see src/asdlib/steps/prepare_far.py."""

from asdlib.steps.command import run
from asdlib.steps.prepare_far import prepare_far

run(prepare_far)
