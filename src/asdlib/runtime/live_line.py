"""One line at the bottom of the terminal: the jobs done and running, and how far the trainings under way are.

Only a terminal has it; logs and pipes keep Snakemake's plain lines. rich draws it again every second. What else is
written to the terminal, by this process or by a job, first removes it.
"""

import atexit
import logging
import os
import re
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from asdlib.errors import printable
from asdlib.runtime.job_environment import has_live_line, is_dumb_terminal, mark_live_line

if TYPE_CHECKING:
    from rich.table import Table

CLEAR = "\r\x1b[K"  # to the start of the line, and remove what is there
BAR = 20  # columns
TAIL = 1 << 12  # bytes of a log that are read
_EPOCH = re.compile(r"(epoch \d+/\d+)  loss (\S+).* (\S+) left$", re.MULTILINE)
_shown: list["LiveLine"] = []


class LiveLine(logging.Handler):
    """A handler of Snakemake's logger that follows the jobs and draws the line on a terminal."""

    def __init__(self, terminal: IO[str], total: int) -> None:
        from rich.console import Console
        from rich.live import Live

        super().__init__()
        self._terminal = terminal
        self._done, self._total = 0, total
        self._running: dict[int, tuple[str, list[str], float]] = {}  # {job: (what it makes, logs, its start)}
        self._live = Live(
            get_renderable=self._row,
            console=Console(file=terminal),
            refresh_per_second=1,
            transient=True,
            redirect_stdout=False,  # of the messages of jobs, which are other processes, rich would know nothing
            redirect_stderr=False,
        )

    def emit(self, record: logging.LogRecord) -> None:
        """Note what a record says about jobs."""
        event = getattr(record, "event", None)
        if event == "progress":
            self._done, self._total = record.done, record.total
        elif event == "job_info":
            what = " ".join([record.rule_name, *(str(value) for value in dict(record.wildcards).values() if value)])
            self._running[record.jobid] = (what, list(record.log or ()), time.time())
        elif event in ("job_finished", "job_error"):
            self._running.pop(getattr(record, "job_id", getattr(record, "jobid", None)), None)

    def text(self) -> str:
        """Return the line, with trainings under way first.

        For example: `3 of 12 jobs done, 2 running | train_model … fan: epoch 2/10, loss 0.31, 0m17s left | embed …`.
        """
        running = [(what, _epoch(logs, start)) for what, logs, start in list(self._running.values())]
        trainings = [f"{what}: {epoch}" for what, epoch in running if epoch]
        others = [what for what, epoch in running if not epoch]
        counted = f"{self._done} of {self._total} jobs done, {len(running)} running"
        return printable(" | ".join([counted, *trainings, *others]))

    def start(self) -> None:
        """Draw the line every second, in a thread of its own, until `end`."""
        self._live.start()

    def clear(self, record: logging.LogRecord | None = None) -> bool:
        """Remove the line from the terminal; a filter of the handler that writes there, so the answer is yes."""
        with suppress(OSError, ValueError):  # the terminal is gone: the run goes on
            os.write(self._terminal.fileno(), CLEAR.encode())
        return True

    def end(self) -> None:
        """Remove the line for good."""
        with suppress(OSError, ValueError):
            self._live.stop()

    def _row(self) -> "Table":
        """Return a bar and the text, on one line, because a second one would stay when a message of a job comes."""
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        row = Table.grid(padding=(0, 1))
        row.add_column(width=BAR, no_wrap=True)  # of columns that are too wide, rich first narrows those that wrap
        row.add_column()
        row.add_row(ProgressBar(self._total, self._done), Text(self.text(), no_wrap=True, overflow="crop"))
        return row


def show(logger: logging.Logger, total: int, quiet: Iterable[Any]) -> None:
    """Draw the line while Snakemake, whose logger this is, runs jobs, if stderr is a terminal.

    `quiet` are the values of Snakemake's option --quiet: with `progress` or `all`, there is no line.
    """
    terminal = sys.stderr
    is_quiet = {"PROGRESS", "ALL"} & {value.name for value in quiet}
    if is_quiet or not terminal.isatty() or is_dumb_terminal():
        return
    line = LiveLine(terminal, total)
    for handler in logger.handlers:
        if getattr(handler, "stream", None) is terminal:
            handler.addFilter(line.clear)
    logger.addHandler(line)
    mark_live_line(True)
    _shown.append(line)
    line.start()
    atexit.register(end)  # a run that fails in Snakemake itself must show the cursor again, too


def end() -> None:
    """Remove the line, if there is one, when a run ends."""
    mark_live_line(False)
    for line in _shown:
        line.end()


def start_of_messages(terminal: int) -> str:
    """Return what a job writes before each message to a terminal: CLEAR if its run draws a line there."""
    return CLEAR if has_live_line() and os.isatty(terminal) else ""


def _epoch(logs: list[str], start: float) -> str | None:
    """Return what the log of a training says of its last epoch; a log of an earlier attempt is older than the job."""
    for path in logs:
        with suppress(OSError):
            if Path(path).stat().st_mtime < start:
                continue
            with Path(path).open("rb") as handle:
                handle.seek(max(0, handle.seek(0, os.SEEK_END) - TAIL))
                found = _EPOCH.findall(handle.read().decode(errors="replace"))
            if found:
                return "{}, loss {}, {} left".format(*found[-1])
    return None
