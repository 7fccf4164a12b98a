"""Rule train_separator: see src/asdlib/steps/train_separator.py."""

from asdlib.steps.command import run
from asdlib.steps.train_separator import train_separator

run(train_separator)
