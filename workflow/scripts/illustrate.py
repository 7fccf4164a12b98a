"""Rule illustrate: see src/asdlib/steps/illustrate.py."""

import asdlib.runtime.job_start  # noqa: F401
from asdlib.steps.command import run
from asdlib.steps.illustrate import illustrate

run(illustrate)
