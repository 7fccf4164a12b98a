"""A job hands itself over to the server of jobs that its run has started (`asdlib.runtime.job_server`)."""

import json
import os
import signal
import socket
import sys
from contextlib import suppress

VARIABLE = "ASDLIB_JOB_SERVER"  # the name of the server
_PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def hand_over() -> None:
    """Let a fork of the server run this job, and end as the fork does.

    Returns if the run has no server, or none that can take the job, and if the job has a GPU, because forks with CUDA
    have never been tried: the job then runs in this process.
    """
    name = os.environ.pop(VARIABLE, None)
    if name is None or _has_gpu():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        try:
            server.connect(address(name))
            _send(server)
        except OSError:  # it is importing, it has ended, or the environment is too large
            return
        for number in _PASSED_ON:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, lambda number, _: _pass_on(number, server))
        _end_like(_end(server))


def address(name: str) -> str:
    """Return the address of a server's socket. It is not a file, so that it ends with the server."""
    return f"\0asdlib-{name}"


def _has_gpu() -> bool:
    """Return whether the job's file, the first argument of its script, gives it a GPU."""
    try:
        with open(sys.argv[1], encoding="ascii") as file:  # noqa: PTH123 (as below)
            return bool(json.load(file)["arguments"].get("gpus"))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return False


def _send(server: socket.socket) -> None:
    job = {
        "arguments": sys.argv,
        "folder": os.getcwd(),  # noqa: PTH109 (importing pathlib takes as long as all the rest)
        "environment": dict(os.environ),
        "path": sys.path,
    }
    socket.send_fds(server, [json.dumps(job).encode()], [0, 1, 2])


def _pass_on(number: int, server: socket.socket) -> None:
    with suppress(OSError):  # the fork has ended
        server.send(str(number).encode())


def _end(server: socket.socket) -> bytes:
    try:
        return server.recv(16)
    except OSError:  # the server has ended
        return b""


def _end_like(end: bytes) -> None:
    """End this process with the exit code of the fork, or by the signal that has ended it."""
    if not end:
        sys.exit("error: the process that forks the jobs of this run has ended: run again, or set fork_jobs: false")
    if (code := int(end)) < 0:
        with suppress(OSError):  # SIGKILL cannot have another effect
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)
