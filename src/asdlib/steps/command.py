"""Run a step from a rule's shell command.

A rule calls its thin script with `--name value` pairs; the step's own signature says what they are. This is also the
way to run one job by hand or in a debugger: copy the command that `snakemake -p` prints.
"""

import argparse
import ast
import inspect
import logging
import os
import signal
import sys
import types
import typing
from collections.abc import Callable, Sequence
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, NoReturn

from asdlib.errors import AsdError
from asdlib.runtime import guard
from asdlib.runtime.job_environment import is_first
from asdlib.workflow.typed_settings import typed

FORMAT = "%(asctime)s %(message)s"
progress = logging.getLogger("asdlib.progress")  # shown on a terminal too, everything else only in the log


def run(step: Callable[..., None], argv: Sequence[str] | None = None) -> None:
    """Call `step` with the command line's arguments, its output in `--log`.

    A user's error (AsdError) is one line on stderr and in the log; anything else keeps its traceback. Both exit 1.
    """
    options = parse(step, argv)
    log = options.pop("log")
    try:
        terminal = _redirect(log)
    except OSError as error:
        sys.exit(f"error: {log}: cannot be written ({error.strerror}): make room, or make the folder writable")
    signal.signal(signal.SIGTERM, _stop)  # so that temporary files are removed
    try:
        guard.check_library()
        step(**options)
    except AsdError as error:
        _fail(f"error: {error}", terminal)
    except Exception as error:
        _fail(f"error: {type(error).__name__}: {error}", terminal, error)


def parse(step: Callable[..., None], argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Return the arguments of a step, and `log`, from a command line."""
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
    """Return what turns the text of an argument into the annotated type."""
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
    """Send stdout and stderr, libraries' own included, to the log; return the terminal's descriptor.

    A job's further processes inherit the first one's log, and only warn in it.
    """
    terminal = os.dup(2)
    if log and is_first():
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w") as handle:
            os.dup2(handle.fileno(), 1)
            os.dup2(handle.fileno(), 2)
    level = logging.INFO if is_first() else logging.WARNING
    logging.basicConfig(level=level, format=FORMAT, datefmt="%H:%M:%S", stream=sys.stderr, force=True)
    logging.captureWarnings(True)
    if log and os.isatty(terminal):
        shown = logging.StreamHandler(os.fdopen(os.dup(terminal), "w"))
        shown.setFormatter(logging.Formatter(FORMAT, "%H:%M:%S"))
        progress.addHandler(shown)
    return terminal


def _fail(message: str, terminal: int, bug: Exception | None = None) -> NoReturn:
    """Say it on the terminal first: the log may lie on the very disk that is full."""
    message = " ".join(message.splitlines())
    if not os.path.samestat(os.fstat(terminal), os.fstat(2)):  # else the log is the terminal
        os.write(terminal, f"{message}\n".encode())
    logging.error("%s", message, exc_info=bug)
    sys.exit(1)


def _stop(signum: int, frame: Any) -> NoReturn:
    sys.exit(128 + signum)
