"""Runs that halt when a file is half written, see tests/end_to_end/halting/sitecustomize.py."""

import time
from pathlib import Path

from helpers import job_server
from helpers.checkout import ROOT, Checkout, Run

HALTING = ROOT / "tests" / "end_to_end" / "halting"


def start(checkout: Checkout, halt: str, *arguments: str, anew: bool = False) -> Run:
    """Start a run that halts at a file, `<rule>[ <machine>]:<file>[*<count>]`.

    All other jobs are forks of a server that runs share. With `anew`, each is a new Python.
    """
    (checkout.folder / "halted").unlink(missing_ok=True)
    environment = {"HALT_AT": halt, "PYTHONPATH": str(HALTING), **({} if anew else job_server.environment())}
    return checkout.start(*arguments, **environment)


def wait_for_halt(checkout: Checkout, run: Run) -> Path:
    """Wait until a job halts and return the path of its half-written file."""
    flag = checkout.folder / "halted"
    give_up = time.monotonic() + 300
    while not flag.exists():
        assert run.process.poll() is None, f"the run ended:\n{run.printed}"
        assert time.monotonic() < give_up, f"the run never wrote the file:\n{run.printed}"
        time.sleep(0.05)
    return Path(flag.read_text())
