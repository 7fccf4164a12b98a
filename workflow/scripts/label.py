"""Rule label: see src/asdlib/steps/label.py."""

import asdlib.runtime.job_start  # noqa: F401
from asdlib.steps.command import run
from asdlib.steps.label import label

run(label)
