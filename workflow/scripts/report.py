"""Rule report: see src/asdlib/steps/report.py."""

from asdlib.steps.command import run
from asdlib.steps.report import report

run(report)
