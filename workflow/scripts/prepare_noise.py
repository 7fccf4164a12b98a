"""Rule prepare_noise: see src/asdlib/steps/prepare_noise.py."""

import asdlib.runtime.job_start  # noqa: F401
from asdlib.steps.command import run
from asdlib.steps.prepare_noise import prepare_noise

run(prepare_noise)
