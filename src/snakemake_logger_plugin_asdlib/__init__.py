"""Let targets of this workflow stand anywhere on Snakemake's command line, also behind `--resources gpu=2`.

argparse gives an option of several words (`--resources`, `--config`, `--quiet`, …) every word up to the next option,
and so the target, too. Snakemake has no hook for what happens before it reads its command line, but it imports every
installed package whose name begins with `snakemake_logger_plugin_` while it builds its parser. That is all that this
plugin is for: on import, it puts the targets of a call first (`order.py`), by the options of Snakemake's own parser
(`options.py`). From then on, until the Snakefile is read, Ctrl-C prints one line in place of a traceback. It does
nothing for other workflows, for the jobs that Snakemake starts itself, and when the parser of a future Snakemake cannot
be read (`tests/plugin/` would fail then).

It imports nothing of asdlib, which would otherwise come from the checkout that is installed. A run takes the library of
the checkout whose Snakefile it reads.
"""

import shlex
import sys
from pathlib import Path
from types import TracebackType

from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_logger_plugins.base import LogHandlerBase

from snakemake_logger_plugin_asdlib.options import read_options
from snakemake_logger_plugin_asdlib.order import in_order, is_asdlib
from snakemake_logger_plugin_asdlib.values import WrongWordError


class LogHandler(LogHandlerBase):
    """Snakemake requires this class of a logger plugin; it cannot be chosen."""

    def __new__(cls, *_: object) -> "LogHandler":
        raise WorkflowError("--logger asdlib: logs nothing: leave it out")


def put_targets_first(argv: list[str]) -> None:
    """Put the targets of Snakemake's command line first, in place, and say so on stderr.

    A word that is neither a target nor a value of its option ends the process with one line, like a usage error.
    """
    if not _is_call(argv):
        return
    try:
        options = read_options()
        if is_asdlib(argv[1:], options):
            _explain_interrupts()
        words = in_order(argv[1:], options)
    except WrongWordError as error:
        _say(f"error: {error}")
        sys.exit(2)
    except Exception:  # Snakemake is another than the one known: it must still run, as it would without this plugin
        return
    if words != argv[1:]:
        argv[1:] = words
        _say(f"read as: {shlex.join(['snakemake', *words])}")


def _is_call(argv: list[str]) -> bool:
    """Return whether a user calls Snakemake, which passes --mode to the processes that it starts itself."""
    program = Path(*argv[:1])
    called = program.name == "snakemake" or (program.name, program.parent.name) == ("__main__.py", "snakemake")
    return called and not any(word == "--mode" or word.startswith("--mode=") for word in argv)


def _explain_interrupts() -> None:
    """Let Ctrl-C print one line until the Snakefile replaces this by a hook that knows whether a job was started."""
    shown = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            _say("interrupted: no job was started")
        else:
            shown(kind, error, trace)

    sys.excepthook = hook


def _say(text: str) -> None:
    print(f"asdlib: {text if text.isprintable() else ascii(text)[1:-1]}", file=sys.stderr)


put_targets_first(sys.argv)
