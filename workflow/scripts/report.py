"""Rule report: see src/asdlib/steps/report.py."""

import asdlib.runtime.uncollected_imports  # noqa: F401
from asdlib.steps.command import run
from asdlib.steps.report import report

run(report)
