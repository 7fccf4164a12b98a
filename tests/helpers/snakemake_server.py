"""A process that has imported Snakemake and runs each call in a fork of its own.

Importing Snakemake takes as long as most of the tests' runs. The server imports nothing of asdlib: every fork finds the
library of its checkout, as a Snakemake started by hand does.

Run as a script, it is the server: it reads questions from standard input, one JSON object per line, and answers each:
a call, when it ends or as soon as it has begun, or the number of a process, whether it has ended.
"""

import asyncio
import gc
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import time
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
    "snakemake_interface_executor_plugins.executors.remote",
)  # Snakemake itself imports most of them when a call needs them, thus in each fork


class Started:
    """A Snakemake that the server has started; like a `subprocess.Popen`."""

    def __init__(self, pid: int):
        self.pid = pid
        self._code: int | None = None

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""
        if self._code is None:
            self._code = _ask({"process": self.pid})["code"]
        return self._code

    def wait(self, timeout: float = TIMEOUT) -> int:
        """Wait until it ends and return the exit code."""
        give_up = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > give_up:
                raise TimeoutError(f"snakemake: no end after {timeout} s")
            time.sleep(0.05)
        return self.poll()

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def terminate(self) -> None:
        os.kill(self.pid, signal.SIGTERM)


def start_snakemake(arguments: list[str], folder: Path, environment: dict[str, str], log: Path) -> Started:
    """Start `snakemake <arguments>` in `folder`, its output in `log`, with a process group of its own."""
    return Started(_ask(_call(arguments, folder, environment, log, waits=False))["process"])


def run_snakemake(arguments: list[str], folder: Path, environment: dict[str, str], log: Path) -> int:
    """Run `snakemake <arguments>` in `folder`, its output in `log`; return its exit code.

    No process of the call is left behind.
    """
    try:
        answer = _ask(_call(arguments, folder, environment, log, waits=True))
    except TimeoutError as error:
        raise TimeoutError(f"snakemake {' '.join(arguments)}: {error}:\n{log.read_text()}") from None
    with suppress(ProcessLookupError):
        os.killpg(answer["process"], signal.SIGKILL)
    return answer["code"]


def _call(arguments: list[str], folder: Path, environment: dict[str, str], log: Path, waits: bool) -> dict[str, Any]:
    names = {"arguments": arguments, "folder": str(folder), "environment": environment, "log": str(log)}
    return {**names, "waits": waits}


def _ask(question: dict[str, Any]) -> dict[str, Any]:
    """Return the server's answer."""
    server = _server()
    server.stdin.write(json.dumps(question).encode() + b"\n")
    server.stdin.flush()
    if not select.select([server.stdout], [], [], TIMEOUT)[0]:
        server.kill()
        _server.cache_clear()
        raise TimeoutError(f"no end after {TIMEOUT} s")
    return json.loads(server.stdout.readline())


@cache
def _server() -> subprocess.Popen[bytes]:
    # A job of a running Snakemake is told from an orphan by the name in the command line of the process above it.
    command = [sys.executable, "-P", __file__, "snakemake"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def _serve() -> None:
    """Answer until standard input ends; return in the fork of a call."""
    for line in sys.stdin:
        question = json.loads(line)
        if "process" in question:
            _tell(question["process"], os.WNOHANG)
            continue
        process = os.fork()
        if process == 0:
            _become(question)
            return
        if question["waits"]:
            _tell(process)
        else:
            while os.getpgid(process) != process:  # otherwise its group could not be killed yet
                time.sleep(0.001)
            print(json.dumps({"process": process}), flush=True)
    os._exit(0)


def _tell(process: int, options: int = 0) -> None:
    """Answer how a process has ended."""
    ended, status = os.waitpid(process, options)
    code = os.waitstatus_to_exitcode(status) if ended else None
    print(json.dumps({"process": process, "code": code}), flush=True)


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


def _look_at_the_queue_often() -> None:
    """Let Snakemake look for submitted jobs that have ended every two seconds.

    The plugin for SLURM waits ten seconds longer after each look in vain, which is more than most jobs of tests take.
    """
    remote = sys.modules["snakemake_interface_executor_plugins.executors.remote"]
    remote.RemoteExecutor.sleep = lambda _: asyncio.sleep(2)


if __name__ == "__main__":
    for module in IMPORTED:
        importlib.import_module(module)
    _look_at_the_queue_often()
    gc.freeze()  # otherwise every fork would search all that was imported for garbage: a third of a dry run's time
    _serve()
    importlib.import_module("snakemake.cli").main()
