"""A whole system in one process: the jobs of a dry run, each as its command line says, without starting Python anew.

Starting Python and torch takes longer than any toy job: this is how every system can be run from recordings to its
table within the time of a test. That Snakemake itself runs the rules is shown by the tests of tests/end_to_end.
"""

import importlib
import re
import shlex
from contextlib import chdir
from pathlib import Path

from helpers.checkout import Checkout

from asdlib.steps.command import parse

_COMMAND = re.compile(r"^Shell command: (python -P .*)$", re.MULTILINE)


def run_system(checkout: Checkout, target: str, *arguments: str) -> list[str]:
    """Make `target` in the checkout and return the names of the steps, in order; `arguments` are Snakemake's."""
    printed = checkout.run(target, *arguments, "--dry-run", "--printshellcmds")
    with chdir(checkout.folder):
        return [_run(shlex.split(command)) for command in _COMMAND.findall(printed)]


def _run(words: list[str]) -> str:
    """Run one rule's command: python -P <script> --name value …"""
    name = Path(words[2]).stem
    step = getattr(importlib.import_module(f"asdlib.steps.{name}"), name)
    arguments = [word.replace("$ASDLIB", str(Path.cwd())) for word in words[3:]]
    options = parse(step, arguments)
    del options["log"]
    for path in _outputs(options):
        path.parent.mkdir(parents=True, exist_ok=True)
    step(**options)
    return name


def _outputs(options: dict) -> list[Path]:
    """Return where the step writes: Snakemake makes the folders of a rule's outputs."""
    return [
        options[name] for name in ("out", "history", "scores", "clips", "folder") if isinstance(options.get(name), Path)
    ]
