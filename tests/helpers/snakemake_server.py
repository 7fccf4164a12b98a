"""A process that has imported Snakemake and runs each call in a fork of its own.

Importing Snakemake takes as long as most of the tests' runs. The server imports nothing of asdlib: every fork finds the
library of its checkout, as a Snakemake started by hand does.

Run as a script, it is the server: it reads calls from standard input, one JSON object per line, and answers each one.
"""

import gc
import importlib
import json
import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

TIMEOUT = 600  # s of one call
IMPORTED = (
    "jsonschema",
    "smart_open",
    "snakemake.api",
    "snakemake.cli",
    "snakemake.dag",
    "snakemake.executors.local",
    "snakemake.profiles",
    "snakemake.report.html_reporter",
    "snakemake.workflow",
)  # Snakemake itself imports most of them when a call needs them, thus in each fork


def run_snakemake(arguments: list[str], folder: Path, environment: dict[str, str], log: Path) -> int:
    """Run `snakemake <arguments>` in `folder`, its output in `log`; return its exit code.

    No process of the call is left behind.
    """
    server = _server()
    call = {"arguments": arguments, "folder": str(folder), "environment": environment, "log": str(log)}
    server.stdin.write(json.dumps(call).encode() + b"\n")
    server.stdin.flush()
    if not select.select([server.stdout], [], [], TIMEOUT)[0]:
        server.kill()
        _server.cache_clear()
        raise TimeoutError(f"snakemake {' '.join(arguments)}: no end after {TIMEOUT} s:\n{log.read_text()}")
    answer = json.loads(server.stdout.readline())
    with suppress(ProcessLookupError):
        os.killpg(answer["process"], signal.SIGKILL)
    return answer["code"]


@cache
def _server() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-P", __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def _serve() -> None:
    """Answer calls until standard input ends; return in the fork of a call."""
    for line in sys.stdin:
        call = json.loads(line)
        process = os.fork()
        if process == 0:
            _become(call)
            return
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        print(json.dumps({"process": process, "code": code}), flush=True)
    os._exit(0)


def _become(call: dict[str, Any]) -> None:
    """Make this process look like a Snakemake that was started in the call's folder."""
    os.setsid()
    log, nothing = os.open(call["log"], os.O_WRONLY | os.O_CREAT), os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.chdir(call["folder"])
    os.environ.clear()
    os.environ.update(call["environment"])
    sys.argv = ["snakemake", *call["arguments"]]


if __name__ == "__main__":
    for module in IMPORTED:
        importlib.import_module(module)
    gc.freeze()  # otherwise every fork would search all that was imported for garbage: a third of a dry run's time
    _serve()
    importlib.import_module("snakemake.cli").main()
