"""Rule separate: see src/asdlib/steps/separate.py."""

import asdlib.runtime.job_start  # noqa: F401
from asdlib.steps.command import run
from asdlib.steps.separate import separate

run(separate)
