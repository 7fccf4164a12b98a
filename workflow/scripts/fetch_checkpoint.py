"""Rule fetch_checkpoint: see src/asdlib/steps/fetch_checkpoint.py."""

import asdlib.runtime.job_start  # noqa: F401
from asdlib.steps.command import run
from asdlib.steps.fetch_checkpoint import fetch_checkpoint

run(fetch_checkpoint)
