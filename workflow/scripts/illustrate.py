"""Rule illustrate: see src/asdlib/steps/illustrate.py."""

from asdlib.steps.command import run
from asdlib.steps.illustrate import illustrate

run(illustrate)
