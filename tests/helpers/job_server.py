"""A process that has imported what the jobs of the workflow import, and runs each job in a fork of its own.

Importing PyTorch takes much longer than any toy job. The server imports nothing of asdlib: every fork finds the library
of its checkout, as a job does. Snakemake, the rule's shell command, the job's file, the script, its log, its record and
its exit code are the real ones. What differs: modules of other libraries are there already, all jobs of a server hash
texts alike, and whatever ends the process that the shell has started kills the job.

Run as a script, it is the server, which listens at a socket until its standard input ends.
"""

import gc
import importlib
import json
import os
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

CLIENT = Path(__file__).parent / "forked_jobs"  # its sitecustomize hands a job over
MESSAGE = 2**20  # bytes; a job's environment takes a hundredth
IMPORTED = ("numpy", "pyarrow.parquet", "soundfile", "torch", "torch._dynamo", "yaml")


def environment() -> dict[str, str]:
    """Return the variables with which the jobs of a run are forks of this process's server."""
    return {"JOB_SERVER": _server(), "PYTHONPATH": str(CLIENT)}


@cache
def _server() -> str:
    """Start the server and return the path of its socket."""
    path = str(Path(tempfile.mkdtemp()) / "jobs")
    command = [sys.executable, "-P", "-X", "utf8", __file__, path]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.read(1), "the server of jobs has not started"
    return path


def _serve(path: str) -> dict[str, Any] | None:
    """Fork for every job until standard input ends; return the job in the fork that is to become it."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(path)
    listener.listen()
    os.write(1, b".")
    clients: dict[int, socket.socket] = {}  # by the descriptor of the job's process
    while sys.stdin not in (ready := select.select([listener, sys.stdin, *clients, *clients.values()], [], [])[0]):
        for job, client in list(clients.items()):
            if job in ready:
                _tell(client, os.waitid(os.P_PIDFD, job, os.WEXITED))
                os.close(job)
                del clients[job]
            elif client in ready:  # it has ended
                signal.pidfd_send_signal(job, signal.SIGKILL)
        if listener in ready:
            client, _ = listener.accept()
            message, outputs, *_ = socket.recv_fds(client, MESSAGE, 3)
            process = os.fork()
            if process == 0:
                for target, source in enumerate(outputs):
                    os.dup2(source, target)
                return json.loads(message)
            for output in outputs:
                os.close(output)
            clients[os.pidfd_open(process)] = client
    shutil.rmtree(Path(path).parent)
    return None


def _tell(client: socket.socket, end: os.waitid_result) -> None:
    """Tell a client how its job has ended: the exit code, or the number of the signal as a negative one."""
    with client, suppress(BrokenPipeError):
        client.send(str(end.si_status if end.si_code == os.CLD_EXITED else -end.si_status).encode())


def _become(job: dict[str, Any]) -> None:
    """Make this process look like a Python that was started for the job."""
    os.chdir(job["folder"])
    os.environ.clear()
    os.environ.update(job["environment"])
    sys.argv = job["arguments"]
    sys.path[:] = job["path"]
    sys.modules["numpy"].random.seed()  # otherwise, jobs that forget to would all draw the same numbers


if __name__ == "__main__":
    for module in IMPORTED:
        importlib.import_module(module)
    gc.freeze()  # otherwise every fork would search all that was imported for garbage
    if job := _serve(sys.argv[1]):
        _become(job)
        runpy.run_path(sys.argv[0], run_name="__main__")
