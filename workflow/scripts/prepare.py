"""Rule prepare: see src/asdlib/steps/prepare.py."""

import asdlib.runtime.uncollected_imports  # noqa: F401
from asdlib.steps.command import run
from asdlib.steps.prepare import prepare

run(prepare)
