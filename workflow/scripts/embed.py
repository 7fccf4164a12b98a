"""Rule embed: see src/asdlib/steps/embed.py."""

from asdlib.steps.command import run_step

run_step("embed")
