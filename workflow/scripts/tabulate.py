"""Rule tabulate: see src/asdlib/steps/tabulate.py."""

import asdlib.runtime.job_start  # noqa: F401
from asdlib.steps.command import run
from asdlib.steps.tabulate import tabulate

run(tabulate)
