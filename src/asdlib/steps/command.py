"""Run a step from a rule's shell command.

A rule calls its script with the file that describes the job (see asdlib.workflow.job_file). The names and types of the
arguments are those in the signature of the step. To run a single job by hand or in a debugger, pass the file that is
beside the job's log: `python -P workflow/scripts/<step>.py results/logs/<step>/….log.json`.
"""

import argparse
import inspect
import logging
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import field, make_dataclass
from pathlib import Path
from typing import Any, NoReturn

from asdlib.errors import AsdError, LogFormatter, printable, unwritable
from asdlib.runtime import guard, live_line
from asdlib.runtime.cleanup import die_with_first, exit_on_signals
from asdlib.runtime.job_environment import is_first
from asdlib.runtime.job_record import write_record
from asdlib.runtime.lean_imports import keep_imports, spare_pandas
from asdlib.runtime.quick_end import succeeded
from asdlib.runtime.text_streams import escape_unknown, use_utf8
from asdlib.workflow import job_file, paths
from asdlib.workflow.typed_settings import typed

FORMAT = "%(asctime)s %(message)s"
# Everything else is only in the log.
notice = logging.getLogger("asdlib.notice")  # also shown on stderr
progress = logging.getLogger("asdlib.progress")  # also shown on stderr if that is a terminal, unless a line shows it


def run(step: Callable[..., None], argv: Sequence[str] | None = None) -> None:
    """Call `step` with the arguments in a job's file and redirect its output to `--log`.

    A job that has succeeded leaves a record of its time and memory. Exits with code 1 after an error, and 3 if the
    GPU's memory is too small. An AsdError is written as one line to stderr and to the log; for any other exception, the
    log also contains the traceback.
    """
    die_with_first()
    parser = argparse.ArgumentParser(prog=step.__name__, description=inspect.getdoc(step))
    parser.add_argument("job", type=Path, help="the file (JSON) that describes the job")
    parser.add_argument("--log", type=Path, help="the file to which all output is redirected")
    options = parser.parse_args(argv)
    try:
        terminal = _redirect(options.log)
    except OSError as error:
        sys.exit(f"error: {unwritable(options.log, error.strerror)}")
    exit_on_signals()
    spare_pandas()
    keep_imports()
    try:
        guard.check_library()
        step(**arguments(step, options.job))
        _record(options.log)
        succeeded()
    except AsdError as error:
        _fail(f"error: {error}", terminal, code=error.exit_code)
    except Exception as error:
        _fail(f"error: {type(error).__name__}: {error}", terminal, error)


def arguments(step: Callable[..., None], path: Path) -> dict[str, Any]:
    """Return the arguments of a step from a job's file, converted to the annotated types.

    A step that has no argument `settings` or `code` does not get it. Raises AsdError, as `typed` does, for an unknown
    or missing argument or a value of another type.
    """
    parameters = inspect.signature(step, eval_str=True).parameters
    content = job_file.read(path)
    given = {**content["arguments"], **{name: content[name] for name in ("settings", "code") if name in parameters}}
    declared = [
        (one.name, one.annotation, *([] if one.default is one.empty else [field(default=one.default)]))
        for one in parameters.values()
    ]
    return vars(typed(make_dataclass(step.__name__, declared, kw_only=True), given, "job"))


def _redirect(log: Path | None) -> int:
    """Redirect stdout and stderr, including those of C libraries, to the log; return the old descriptor of stderr.

    The other processes of a job inherit the log of the first one and write only warnings to it.
    """
    terminal = os.dup(2)
    if log and is_first():
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w", encoding="utf-8") as handle:
            os.dup2(handle.fileno(), 1)
            os.dup2(handle.fileno(), 2)
    if log:
        use_utf8(sys.stdout, sys.stderr)
    else:
        escape_unknown(sys.stdout, sys.stderr)
    level = logging.INFO if is_first() else logging.WARNING
    formatter = LogFormatter(FORMAT, "%H:%M:%S")
    logged = logging.StreamHandler(sys.stderr)
    logged.setFormatter(formatter)
    logging.basicConfig(level=level, handlers=[logged], force=True)
    logging.captureWarnings(True)
    if log:
        shown = logging.StreamHandler(os.fdopen(os.dup(terminal), "w", errors="backslashreplace"))
        start = live_line.start_of_messages(terminal)
        shown.setFormatter(LogFormatter(f"{start}{FORMAT}", "%H:%M:%S"))
        if start:  # the line shows the epochs
            shown.addFilter(lambda record: record.name != progress.name or record.levelno > logging.INFO)
        for logger in (notice, progress) if os.isatty(terminal) else (notice,):
            logger.addHandler(shown)
    return terminal


def _record(log: Path | None) -> None:
    """Write the record of a job that Snakemake has started, once if it has several processes."""
    if log and is_first() and log.as_posix().startswith(paths.LOGS):
        write_record(Path(paths.record_of(log.as_posix())))


def _fail(message: str, terminal: int, bug: Exception | None = None, code: int = 1) -> NoReturn:
    """Exit with a message on the terminal and in the log; on the terminal first, because the disk may be full."""
    message = printable(" ".join(message.splitlines()))
    if not os.path.samestat(os.fstat(terminal), os.fstat(2)):  # else the log is the terminal
        os.write(terminal, f"{live_line.start_of_messages(terminal)}{message}\n".encode())
    logging.error("%s", message, exc_info=bug)
    sys.exit(code)
