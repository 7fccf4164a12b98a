"""Rule train_separator: see src/asdlib/steps/train_separator.py."""

import asdlib.runtime.job_start  # noqa: F401
from asdlib.steps.command import run
from asdlib.steps.train_separator import train_separator

run(train_separator)
