"""A process that has imported the libraries of the jobs, and forks for each of them.

Importing PyTorch takes longer than most jobs of a small run. A local run on a Linux machine therefore starts this
server, which imports it once. A job that finds the server ready hands itself over (`asdlib.runtime.job_client`):
the server forks, and the fork runs the job's script as a new Python would, with the job's command, environment, folder
and output. The process that the run has started waits, passes signals on, and ends as the fork does. If it is killed,
so is the fork. Otherwise nothing differs: each job imports asdlib itself, and without a server, it imports the
libraries as well.

The server ends when the run has ended, and no fork is left. Other users' processes are not served.
"""

import ctypes
import gc
import json
import os
import runpy
import secrets
import select
import signal
import socket
import struct
import subprocess
import sys
from contextlib import suppress
from typing import Any
from warnings import catch_warnings

from asdlib.runtime.job_client import VARIABLE, address

FEWEST = 5  # jobs; the imports of the server take as long as those of three or four
MESSAGE = 2**20  # bytes; a job's environment takes a hundredth of it
# A fork has none of the threads that its server has started.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
Forks = dict[int, socket.socket | None]  # the client, unless it was killed, by the descriptor of the fork's process
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG, from prctl.h
_running: list[subprocess.Popen] = []  # keeps their standard input open while this process lives


def start(jobs: int) -> None:
    """Start the server of this run, if that pays for so many jobs, and pass its name to all of them.

    A run that has been given a server keeps it. Before Linux 5.4, and in containers that forbid it, there is none.
    """
    if jobs < FEWEST or VARIABLE in os.environ or not _can_watch_processes():
        return
    os.environ[VARIABLE] = name = secrets.token_hex(8)
    _running.append(launch(name))


def launch(name: str) -> subprocess.Popen:
    """Start a server. It serves until its standard input is closed, and as long as it has forks."""
    command = [sys.executable, "-P", "-m", "asdlib.runtime.job_server", name]
    environment = {**os.environ, **dict.fromkeys(THREADS, "1")}
    return subprocess.Popen(command, stdin=subprocess.PIPE, env=environment, start_new_session=True)


def _can_watch_processes() -> bool:
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError:
        return False
    return True


def _import_libraries() -> None:
    # What cannot be imported is the business of the job that needs it, and of its log.
    with suppress(Exception), catch_warnings(action="ignore"):
        from asdlib.runtime import shared_libraries  # noqa: F401
    gc.freeze()  # otherwise every fork would search all that was imported for garbage


def _serve(name: str) -> dict[str, Any] | None:
    """Fork for every job until standard input and all jobs have ended; return the job in the fork that is to run it."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(address(name))
    listener.listen()
    forks: Forks = {}
    doors = [listener, sys.stdin]
    while doors or forks:
        ready = select.select([*doors, *forks, *filter(None, forks.values())], [], [])[0]
        for fork, client in list(forks.items()):
            if fork in ready:
                _tell_the_end(fork, client)
                del forks[fork]
            elif client in ready and not _pass_on(fork, client):
                forks[fork] = None
        if sys.stdin in ready:  # the run has ended
            doors = []
            listener.close()
        elif listener in ready and (job := _accept(listener, forks)):
            return job
    return None


def _accept(listener: socket.socket, forks: Forks) -> dict[str, Any] | None:
    """Fork for the next job, and return it in the fork."""
    client, _ = listener.accept()
    if _user(client) != os.getuid():
        client.close()
        return None
    message, outputs, *_ = socket.recv_fds(client, MESSAGE, 3)
    process = _fork() if message else None  # without a message, the client was killed
    if process == 0:
        for target, source in enumerate(outputs):
            os.dup2(source, target)
        for connection in (listener, client, *filter(None, forks.values())):
            connection.close()
        for other in (*outputs, *forks):
            os.close(other)
        return json.loads(message)
    for output in outputs:
        os.close(output)
    if process is None:
        client.close()
    else:
        forks[os.pidfd_open(process)] = client
    return None


def _fork() -> int | None:
    """Fork as `os.fork` does, into a process that the system kills when the server ends; None: there is no room."""
    server = os.getpid()
    try:
        # Since 3.12, Python warns of other threads. Only pyarrow's allocator has some, and is prepared for forks.
        with catch_warnings(action="ignore", category=DeprecationWarning):
            process = os.fork()
    except OSError:
        return None
    if process == 0:
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
        if os.getppid() != server:  # it has ended before
            os._exit(1)
    return process


def _user(client: socket.socket) -> int:
    process_user_group = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return struct.unpack("3i", process_user_group)[1]


def _tell_the_end(fork: int, client: socket.socket | None) -> None:
    """Tell a client how its job has ended: the exit code, or the number of the signal as a negative one."""
    end = os.waitid(os.P_PIDFD, fork, os.WEXITED)
    os.close(fork)
    if client:
        with client, suppress(OSError):  # it was killed
            client.send(str(end.si_status if end.si_code == os.CLD_EXITED else -end.si_status).encode())


def _pass_on(fork: int, client: socket.socket) -> bool:
    """Pass a client's signal on to its job, and return True. If the client was killed, kill the job."""
    try:
        number = client.recv(16)
    except OSError:
        number = b""
    signal.pidfd_send_signal(fork, int(number or signal.SIGKILL))
    if not number:
        client.close()
    return bool(number)


def _become(job: dict[str, Any]) -> None:
    """Make this process look like a Python that was started for the job."""
    os.chdir(job["folder"])
    os.environ.clear()
    os.environ.update(job["environment"])
    sys.argv = job["arguments"]
    sys.path[:] = job["path"]
    for module in [name for name in sys.modules if name.partition(".")[0] == "asdlib"]:
        del sys.modules[module]  # the job imports the library as it is now
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()  # otherwise, jobs that forget to would all draw the same numbers
    if (threads := job["environment"].get("OMP_NUM_THREADS", "1")) != "1":
        from threadpoolctl import threadpool_limits

        threadpool_limits(int(threads))


if __name__ == "__main__":
    _import_libraries()
    if job := _serve(sys.argv[1]):
        _become(job)
        runpy.run_path(sys.argv[0], run_name="__main__")
