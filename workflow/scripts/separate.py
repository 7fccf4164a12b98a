"""Rule separate: see src/asdlib/steps/separate.py."""

from asdlib.steps.command import run
from asdlib.steps.separate import separate

run(separate)
