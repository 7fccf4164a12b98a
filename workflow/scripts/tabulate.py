"""Rule tabulate: see src/asdlib/steps/tabulate.py."""

from asdlib.steps.command import run_step

run_step("tabulate")
