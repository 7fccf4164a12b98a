"""The command line: `asdlib <command>`. Wrong input gives one line on stderr and exit code 2."""

import argparse
import errno
import gc
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from asdlib.commands import check, completion, evaluate, export, fetch, info, orphans, plan, run, score, systems, table
from asdlib.errors import AsdError, LogFormatter
from asdlib.runtime import quick_end
from asdlib.runtime.cleanup import exiting_on_signals
from asdlib.runtime.job_environment import provide_user, use_library_of
from asdlib.runtime.text_streams import escape_unknown
from asdlib.workflow.project import version

COMMANDS = {
    "check": check,
    "completion": completion,
    "evaluate": evaluate,
    "export": export,
    "fetch": fetch,
    "info": info,
    "orphans": orphans,
    "plan": plan,
    "run": run,
    "score": score,
    "systems": systems,
    "table": table,
}
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # only writing can fail so


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code: 0, that of the command, 2 after an error, or 130 after Ctrl-C."""
    escape_unknown(sys.stdout, sys.stderr)
    try:
        _refuse_deleted_folder()
        if argv is None:
            use_library_of(Path(), sys.argv[1:])
            _be_quick()
        args = build_parser().parse_args(argv)
        logging.lastResort.setFormatter(LogFormatter())  # prints warnings and errors to stderr
        provide_user()
        with exiting_on_signals():
            code = args.run(args) or 0
        sys.stdout.flush()
        if code == 0:
            quick_end.succeeded()
    except AsdError as error:
        print(f"asdlib: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("asdlib: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `asdlib … | head`: the reader has closed the pipe
        _drop_output()
        return 0
    except OSError as error:
        if error.errno not in FULL or error.filename:  # of a file with a name, the code that writes it says more
            raise
        print(f"asdlib: error: the output cannot be written ({error.strerror}): write it elsewhere", file=sys.stderr)
        _drop_output()
        return 2
    return code


def _drop_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _be_quick() -> None:
    """Look for no garbage, which no command makes in numbers, and let the process end quickly after a success.

    One that goes on for long looks for it after its imports (`asdlib.runtime.lean_imports.keep_imports`).
    """
    gc.disable()
    quick_end.prepare()


def _refuse_deleted_folder() -> None:
    """Raise AsdError if the working directory was deleted, which most functions of Python would say in a traceback."""
    try:
        Path.cwd()
    except FileNotFoundError as error:
        raise AsdError("the working directory was deleted: change to another one") from error


def build_parser() -> argparse.ArgumentParser:
    """The parser with one sub-command for each entry of `COMMANDS`."""
    parser = argparse.ArgumentParser(prog="asdlib", description="Anomalous sound detection: DCASE Task 2.")
    parser.add_argument("--version", action="version", version=f"asdlib {version()}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        sub = commands.add_parser(name, help=command.HELP, description=f"{command.HELP}.")
        command.add_arguments(sub)
        sub.set_defaults(run=command.run, parser=parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
