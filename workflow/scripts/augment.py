"""Rule augment: see src/asdlib/steps/augment.py."""

import asdlib.runtime.job_start  # noqa: F401
from asdlib.steps.augment import augment
from asdlib.steps.command import run

run(augment)
