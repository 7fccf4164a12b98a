"""Rule label: see src/asdlib/steps/label.py."""

import asdlib.runtime.uncollected_imports  # noqa: F401
from asdlib.steps.command import run
from asdlib.steps.label import label

run(label)
