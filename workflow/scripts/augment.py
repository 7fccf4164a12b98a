"""Rule augment: see src/asdlib/steps/augment.py."""

import asdlib.runtime.uncollected_imports  # noqa: F401
from asdlib.steps.augment import augment
from asdlib.steps.command import run

run(augment)
