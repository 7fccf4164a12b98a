"""Rule augment: see src/asdlib/steps/augment.py."""

from asdlib.steps.augment import augment
from asdlib.steps.command import run

run(augment)
