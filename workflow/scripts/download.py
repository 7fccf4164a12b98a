"""Rule download: see src/asdlib/steps/download.py."""

import asdlib.runtime.job_start  # noqa: F401
from asdlib.steps.command import run
from asdlib.steps.download import download

run(download)
