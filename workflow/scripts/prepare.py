"""Rule prepare: see src/asdlib/steps/prepare.py."""

from asdlib.steps.command import run
from asdlib.steps.prepare import prepare

run(prepare)
