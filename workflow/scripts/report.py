"""Rule report: see src/asdlib/steps/report.py."""

from asdlib.steps.command import run_step

run_step("report")
