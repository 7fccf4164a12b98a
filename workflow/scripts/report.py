"""Rule report: see src/asdlib/steps/report.py."""

import asdlib.runtime.job_start  # noqa: F401
from asdlib.steps.command import run
from asdlib.steps.report import report

run(report)
