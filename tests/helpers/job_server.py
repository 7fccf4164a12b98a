"""Servers of jobs in the tests. Many runs share one: starting one for each would take longer than their toy jobs."""

import os
import secrets
import socket
import subprocess
import time
from functools import cache
from pathlib import Path

import pytest

from asdlib.runtime import job_client, job_server


def environment() -> dict[str, str]:
    """Return the variable with which the jobs of a run are forks of this process's server."""
    return {job_client.VARIABLE: _shared()[0]}


def forks() -> list[int]:
    """Return the processes that run jobs of this process's server."""
    server = _shared()[1].pid
    return [int(fork) for fork in Path(f"/proc/{server}/task/{server}/children").read_text().split()]


def start(empty: Path | None = None) -> tuple[str, subprocess.Popen]:
    """Start a server, wait until it serves, and return its name and its process; closing its input ends it.

    With a folder for what makes its first import fail, it serves at once, and no library is there.
    """
    name = secrets.token_hex(8)
    with pytest.MonkeyPatch.context() as patch:
        if empty:
            (empty / "asteroid.py").write_text("raise ImportError")
            patch.setenv("PYTHONPATH", str(empty), prepend=os.pathsep)
        process = job_server.launch(name)
    while not _serves(name):
        assert process.poll() is None, "the server of jobs has not started"
        time.sleep(0.1)
    return name, process


def _serves(name: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
        return client.connect_ex(job_client.address(name)) == 0


@cache
def _shared() -> tuple[str, subprocess.Popen]:
    return start()
