"""Rule tabulate: see src/asdlib/steps/tabulate.py."""

from asdlib.steps.command import run
from asdlib.steps.tabulate import tabulate

run(tabulate)
