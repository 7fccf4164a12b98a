"""Run a step from a rule's shell command.

A rule calls its script with `--name value` pairs. The options and their types are read from the signature of the step.
To run a single job by hand or in a debugger, copy the command that `snakemake -p` prints.
"""

import argparse
import ast
import inspect
import logging
import os
import sys
import types
import typing
from collections.abc import Callable, Sequence
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, NoReturn

from asdlib.errors import AsdError, LogFormatter, printable
from asdlib.runtime import guard
from asdlib.runtime.cleanup import exit_on_signals
from asdlib.runtime.job_environment import is_first
from asdlib.runtime.text_streams import escape_unknown, use_utf8
from asdlib.workflow.typed_settings import typed

FORMAT = "%(asctime)s %(message)s"
progress = logging.getLogger("asdlib.progress")  # also shown on a terminal
notice = logging.getLogger("asdlib.notice")  # also shown on stderr; everything else is only in the log


def run(step: Callable[..., None], argv: Sequence[str] | None = None) -> None:
    """Call `step` with the arguments of a command line and redirect its output to `--log`.

    Exits with code 1 after an error. An AsdError is written as one line to stderr and to the log; for any other
    exception, the log also contains the traceback.
    """
    options = parse(step, argv)
    log = options.pop("log")
    try:
        terminal = _redirect(log)
    except OSError as error:
        sys.exit(f"error: {log}: cannot be written ({error.strerror}): make room, or make the folder writable")
    exit_on_signals()
    try:
        guard.check_library()
        step(**options)
    except AsdError as error:
        _fail(f"error: {error}", terminal)
    except Exception as error:
        _fail(f"error: {type(error).__name__}: {error}", terminal, error)


def parse(step: Callable[..., None], argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Return the arguments of a step, and `log`, parsed from a command line."""
    parser = argparse.ArgumentParser(prog=step.__name__, description=inspect.getdoc(step))
    for name, parameter in inspect.signature(step, eval_str=True).parameters.items():
        option: dict[str, Any] = {"type": _reader(parameter.annotation)}
        if typing.get_origin(parameter.annotation) is list:
            option["nargs"] = "*"
        if parameter.default is not parameter.empty:
            option["default"] = parameter.default
        else:
            option["required"] = True
        parser.add_argument(f"--{name.replace('_', '-')}", **option)
    parser.add_argument("--log", type=Path)
    return vars(parser.parse_args(argv))


def _reader(annotation: Any) -> Callable[[str], Any]:
    """Return the function that converts the text of an argument to the annotated type."""
    if isinstance(annotation, types.UnionType):  # Path | None
        annotation = next(kind for kind in typing.get_args(annotation) if kind is not type(None))
    if typing.get_origin(annotation) is list:
        annotation = typing.get_args(annotation)[0]
    if annotation is dict or typing.get_origin(annotation) is dict:
        return ast.literal_eval
    if is_dataclass(annotation):
        return lambda text: typed(annotation, ast.literal_eval(text))
    return annotation


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
    (use_utf8 if log else escape_unknown)(sys.stdout, sys.stderr)
    level = logging.INFO if is_first() else logging.WARNING
    formatter = LogFormatter(FORMAT, "%H:%M:%S")
    logged = logging.StreamHandler(sys.stderr)
    logged.setFormatter(formatter)
    logging.basicConfig(level=level, handlers=[logged], force=True)
    logging.captureWarnings(True)
    if log:
        shown = logging.StreamHandler(os.fdopen(os.dup(terminal), "w", errors="backslashreplace"))
        shown.setFormatter(formatter)
        for logger in (notice, progress) if os.isatty(terminal) else (notice,):
            logger.addHandler(shown)
    return terminal


def _fail(message: str, terminal: int, bug: Exception | None = None) -> NoReturn:
    """Exit with a message on the terminal and in the log; on the terminal first, because the disk may be full."""
    message = printable(" ".join(message.splitlines()))
    if not os.path.samestat(os.fstat(terminal), os.fstat(2)):  # else the log is the terminal
        os.write(terminal, f"{message}\n".encode())
    logging.error("%s", message, exc_info=bug)
    sys.exit(1)
