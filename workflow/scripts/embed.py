"""Rule embed: see src/asdlib/steps/embed.py."""

import asdlib.runtime.job_start  # noqa: F401
from asdlib.steps.command import run
from asdlib.steps.embed import embed

run(embed)
