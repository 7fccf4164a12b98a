"""A run that stands still when half of a file is written: see workflow/halting/sitecustomize.py."""

import time
from pathlib import Path

from helpers.checkout import ROOT, Checkout, Run

HALTING = ROOT / "tests" / "workflow" / "halting"


def start(checkout: Checkout, halt: str, *arguments: str) -> Run:
    """Start a run that halts at a file: <rule>:<file>[*<time>]."""
    (checkout.folder / "halted").unlink(missing_ok=True)
    return checkout.start(*arguments, HALT_AT=halt, PYTHONPATH=str(HALTING))


def wait_for_halt(checkout: Checkout, run: Run) -> Path:
    """Wait until a job stands still; return the path of its half-written file."""
    flag = checkout.folder / "halted"
    give_up = time.monotonic() + 300
    while not flag.exists():
        assert run.process.poll() is None, f"it ended:\n{run.printed}"
        assert time.monotonic() < give_up, f"it never came to the file:\n{run.printed}"
        time.sleep(0.05)
    return Path(flag.read_text())
