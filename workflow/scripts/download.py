"""Rule download: see src/asdlib/steps/download.py."""

from asdlib.steps.command import run_step

run_step("download")
