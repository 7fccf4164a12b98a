"""Runs of a whole system in one process: the jobs of a dry run, executed without starting Python again.

Starting Python and torch takes longer than any toy job. In one process, every system can be run from the recordings to
its table within the time of a test. The tests in tests/end_to_end show that Snakemake itself runs the rules.
"""

import importlib
import re
import shlex
import subprocess
from contextlib import chdir
from pathlib import Path

from helpers.checkout import Checkout

from asdlib.steps.command import arguments

_COMMAND = re.compile(r"^Shell command: (printf .*)$", re.MULTILINE)


def run_system(checkout: Checkout, target: str, *arguments: str) -> list[str]:
    """Make `target` in the checkout, with further `arguments` for Snakemake, and return the steps in order."""
    printed = checkout.run(target, *arguments, "--dry-run", "--printshellcmds")
    with chdir(checkout.folder):
        return [_run(command) for command in _COMMAND.findall(printed)]


def _run(command: str) -> str:
    """Run the command of a rule, `printf … > <job> && exec python -P <script> <job> …`, and return the step's name."""
    write, _, call = command.rpartition(" && ")
    *_, script, job, _, _ = shlex.split(call)
    Path(job).parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["bash", "-c", write], check=True)
    name = Path(script).stem
    step = getattr(importlib.import_module(f"asdlib.steps.{name}"), name)
    options = arguments(step, Path(job))
    for path in _outputs(options):
        path.parent.mkdir(parents=True, exist_ok=True)
    step(**options)
    return name


def _outputs(options: dict) -> list[Path]:
    """Return the outputs of a step, whose folders Snakemake would create."""
    return [
        options[name] for name in ("out", "history", "scores", "clips", "folder") if isinstance(options.get(name), Path)
    ]
