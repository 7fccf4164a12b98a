"""Rule prepare: see src/asdlib/steps/prepare.py."""

import asdlib.runtime.job_start  # noqa: F401
from asdlib.steps.command import run
from asdlib.steps.prepare import prepare

run(prepare)
