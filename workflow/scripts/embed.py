"""Rule embed: see src/asdlib/steps/embed.py."""

from asdlib.steps.command import run
from asdlib.steps.embed import embed

run(embed)
