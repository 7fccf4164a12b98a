"""Rule train_model: see src/asdlib/steps/train_model.py."""

import asdlib.runtime.job_start  # noqa: F401
from asdlib.steps.command import run
from asdlib.steps.train_model import train_model

run(train_model)
