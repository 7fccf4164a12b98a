"""Rule label: see src/asdlib/steps/label.py."""

from asdlib.steps.command import run
from asdlib.steps.label import label

run(label)
