"""Signals end a run within seconds: its jobs are cancelled, here and in SLURM's queue.

At SIGTERM, Snakemake itself would wait for all running jobs, for hours. What sent the signal (SLURM at the end of an
allocation, a container that is stopped) would lose patience, kill it and leave its jobs behind. At Ctrl-C Snakemake
cancels them, but waits up to three minutes for its next look at the queue, and still submits the jobs that it was about
to submit. At SIGHUP, when the terminal is closed, it would be gone at once and leave its jobs in the queue.
"""

import logging
import os
import signal
import sys
import threading
import time
import warnings
from pathlib import Path
from types import TracebackType
from typing import Any

from asdlib.errors import AsdError
from asdlib.runtime import live_line, lock, orphans

GRACE = 5.0  # s for Snakemake to tidy up; jobs that end a training's step have until orphans.GRACE
_log = logging.getLogger(__name__)
_stopped = threading.Event()
_submits = threading.Event()  # this run sends jobs to a queue
CONTINUE = "finished jobs are kept, and the same command continues"


def explain_interrupts() -> None:
    """Let Ctrl-C print one line in place of a traceback where nothing handles it, such as before the first job."""
    shown = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if not issubclass(kind, KeyboardInterrupt):
            shown(kind, error, trace)
            return
        warnings.simplefilter("ignore")  # of coroutines that are not awaited any more
        started = CONTINUE if _stopped.is_set() else "no job was started"
        print(f"asdlib: interrupted: {started}", file=sys.stderr)

    sys.excepthook = hook


def is_stopping() -> bool:
    """Return whether a signal has ended this run."""
    return _stopped.is_set()


def end_on_signals(submits: bool) -> None:
    """Let signals end this run; called when it begins, after Snakemake has set its own handlers.

    `submits` says that its jobs are in the queue of a cluster. A run in the background may ignore Ctrl-C, and one after
    `nohup` the end of its terminal.
    """
    if submits:
        _submits.set()
    signal.signal(signal.SIGTERM, _stop)
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) == handler:
            signal.signal(number, _stop)


def cancel_rest() -> None:
    """Cancel what is left of a stopped run: jobs that were submitted after Snakemake had cancelled the others.

    Another run of this folder may be alive. Then nothing is cancelled, because its jobs look the same.
    """
    if not (_stopped.is_set() and _submits.is_set()):
        return
    folder = Path.cwd()
    try:
        if lock.is_alone():
            orphans.cancel(orphans.find_queued(folder), folder)
    except AsdError as error:
        _log.warning("%s", error)


def _stop(signum: int, frame: Any) -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    _stopped.set()
    live_line.end()
    _log.warning("%s: cancelling all jobs; %s", signal.Signals(signum).name, CONTINUE)
    orphans.signal_children(signal.SIGTERM)
    watch = threading.Timer(GRACE, _leave, [128 + signum])
    watch.daemon = True
    watch.start()
    raise KeyboardInterrupt  # Snakemake cancels its jobs in the queue


def _leave(code: int) -> None:
    """End this process; only jobs that are about to end are waited for."""
    give_up = time.monotonic() + orphans.GRACE - GRACE
    while orphans.children() and time.monotonic() < give_up:
        time.sleep(0.1)
    orphans.signal_children(signal.SIGKILL)
    cancel_rest()
    os._exit(code)
