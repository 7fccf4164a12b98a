"""Jobs that are forks of the server of jobs: called like others, with libraries that are there, and ending alike."""

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from unittest.mock import Mock

import pytest
from helpers import job_server as servers

from asdlib.runtime import job_client, job_server

SRC = Path(job_client.__file__).parents[2]
NOBODY = 65534
JOB = f"""
import sys
sys.path.insert(0, {str(SRC)!r})
import asdlib.runtime.job_start
"""
TELLING = f"""{JOB}
import os, signal
print("torch" in sys.modules, sys.argv[1:], os.getcwd(), os.environ["MARK"], flush=True)
print({job_client.VARIABLE!r} in os.environ, __name__, file=sys.stderr, flush=True)
if sys.argv[1] == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
sys.exit(int(sys.argv[1]))
"""
WAITING = f"""{JOB}
import os, signal, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
print(os.getpid(), flush=True)
time.sleep(float(sys.argv[1]))
print("done", flush=True)
"""
HOLDING = f"""{JOB}
import os
with open(__file__):
    for descriptor in range(3, 64):
        if os.path.exists(path := f"/proc/self/fd/{{descriptor}}") or os.path.islink(path):
            print(os.readlink(path))
"""
GIVEN = {job_client.VARIABLE: "of another run"}
Server = tuple[str, subprocess.Popen]


@pytest.fixture(scope="module")
def shared() -> Iterator[Server]:
    name, process = servers.start()
    yield name, process
    process.stdin.close()
    assert process.wait(timeout=60) == 0


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Server]:
    """A server without libraries, which a test may end."""
    folder = tmp_path / "empty"
    folder.mkdir()
    name, process = servers.start(folder)
    yield name, process
    process.kill()
    process.wait(timeout=60)


def job(tmp_path: Path, code: str, *arguments: str, **environment: str) -> subprocess.Popen:
    script = tmp_path / "job.py"
    script.write_text(code, encoding="utf-8")
    return subprocess.Popen(
        [sys.executable, "-P", str(script), *arguments],
        cwd=tmp_path,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def number_of(waiting: subprocess.Popen) -> int:
    """Return the number of the process that runs a waiting job, which is not the one that was started."""
    fork = int(waiting.stdout.readline())
    assert fork != waiting.pid
    return fork


def is_gone(process: int) -> bool:
    give_up = time.monotonic() + 30
    while Path(f"/proc/{process}").exists() and time.monotonic() < give_up:
        time.sleep(0.05)
    return not Path(f"/proc/{process}").exists()


@pytest.mark.parametrize(("end", "code"), [("0", 0), ("3", 3), ("killed", -9)])
def test_a_fork_is_called_and_ends_like_a_process(shared: Server, tmp_path: Path, end: str, code: int) -> None:
    started = job(tmp_path, TELLING, end, "--log", "x y", MARK="mine", **{job_client.VARIABLE: shared[0]})
    printed, errors = started.communicate()
    assert started.returncode == code
    assert printed == f"True {[end, '--log', 'x y']} {tmp_path} mine\n"
    assert errors == "False __main__\n"


def test_without_a_server_that_is_ready_a_job_runs_by_itself(tmp_path: Path) -> None:
    started = job(tmp_path, TELLING, "3", MARK="mine", **{job_client.VARIABLE: "none"})
    printed, errors = started.communicate()
    assert (started.returncode, printed) == (3, f"False ['3'] {tmp_path} mine\n")
    assert errors == "False __main__\n"


@pytest.mark.parametrize(("arguments", "forked"), [({}, True), ({"gpus": 0}, True), ({"gpus": 1}, False)])
def test_a_job_with_a_gpu_runs_by_itself(shared: Server, tmp_path: Path, arguments: dict, forked: bool) -> None:
    described = tmp_path / "job.json"
    described.write_text(json.dumps({"settings": {}, "code": "", "arguments": arguments}), encoding="ascii")
    code = f'{JOB}print("torch" in sys.modules, {job_client.VARIABLE!r} in __import__("os").environ)'
    printed, errors = job(tmp_path, code, str(described), **{job_client.VARIABLE: shared[0]}).communicate()
    assert (printed, errors) == (f"{forked} False\n", "")


def test_no_thread_of_the_server_is_missed_by_a_fork(shared: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fork has one thread. Where there were others, since 3.12, Python warns, which no user can do anything about."""
    _, process = shared
    threads = [one for one in Path(f"/proc/{process.pid}/task").iterdir() if one.name != str(process.pid)]
    assert {(one / "comm").read_text() for one in threads} <= {"jemalloc_bg_thd\n"}

    def fork() -> int:
        warnings.warn("This process is multi-threaded", DeprecationWarning, stacklevel=2)
        return 5

    monkeypatch.setattr(job_server.os, "fork", fork)
    with warnings.catch_warnings(action="error"):
        assert job_server._fork() == 5


def test_a_fork_imports_the_library_itself(shared: Server, tmp_path: Path) -> None:
    code = f"import sys\nbefore = 'asdlib' in sys.modules\n{JOB}\nprint(before, 'asdlib' in sys.modules)"
    assert job(tmp_path, code, **{job_client.VARIABLE: shared[0]}).communicate()[0] == "False True\n"


@pytest.mark.parametrize("threads", [1, 3])
def test_libraries_have_the_threads_of_the_job(shared: Server, tmp_path: Path, threads: int) -> None:
    code = f"{JOB}\nimport threadpoolctl\nprint(*{{one['num_threads'] for one in threadpoolctl.threadpool_info()}})"
    given = {"OMP_NUM_THREADS": str(threads), job_client.VARIABLE: shared[0]}
    assert job(tmp_path, code, **given).communicate()[0] == f"{threads}\n"


def test_forks_draw_different_random_numbers(shared: Server, tmp_path: Path) -> None:
    code = f"{JOB}\nimport random, numpy\nprint(random.random(), numpy.random.uniform())"
    drawn = [job(tmp_path, code, **{job_client.VARIABLE: shared[0]}).communicate()[0].split() for _ in range(2)]
    assert len({number for one in drawn for number in one}) == 4


def test_a_signal_reaches_the_fork(shared: Server, tmp_path: Path) -> None:
    waiting = job(tmp_path, WAITING, "60", **{job_client.VARIABLE: shared[0]})
    fork = number_of(waiting)
    waiting.terminate()
    assert waiting.wait(timeout=30) == 7
    assert is_gone(fork)


def test_a_fork_is_killed_with_the_process_that_was_started(shared: Server, tmp_path: Path) -> None:
    waiting = job(tmp_path, WAITING, "60", **{job_client.VARIABLE: shared[0]})
    fork = number_of(waiting)
    waiting.kill()
    assert is_gone(fork)
    assert waiting.communicate()[0] == ""


def test_a_job_imports_what_the_server_could_not(own: Server, tmp_path: Path) -> None:
    code = f"{JOB}\nbefore = 'numpy' in sys.modules\nimport numpy\nprint(before, numpy.ones(1))"
    assert job(tmp_path, code, **{job_client.VARIABLE: own[0]}).communicate()[0] == "False [1.]\n"


def test_a_fork_ends_after_the_run_and_then_the_server(own: Server, tmp_path: Path) -> None:
    name, server = own
    waiting = job(tmp_path, WAITING, "1", **{job_client.VARIABLE: name})
    fork = number_of(waiting)
    server.stdin.close()
    assert waiting.communicate() == ("done\n", "")
    assert waiting.returncode == 0
    assert server.wait(timeout=30) == 0
    assert is_gone(fork)


def test_without_its_server_a_fork_is_killed_and_its_job_fails(own: Server, tmp_path: Path) -> None:
    name, server = own
    waiting = job(tmp_path, WAITING, "60", **{job_client.VARIABLE: name})
    fork = number_of(waiting)
    server.kill()
    printed, errors = waiting.communicate()
    assert (waiting.returncode, printed) == (1, "")
    assert errors.startswith("error: the process that forks the jobs of this run has ended: ")
    assert is_gone(fork)


def test_a_killed_client_leaves_the_server_serving(shared: Server, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
        client.connect(job_client.address(shared[0]))
    started = job(tmp_path, TELLING, "0", MARK="mine", **{job_client.VARIABLE: shared[0]})
    assert started.communicate()[0].startswith("True ")


def test_a_fork_holds_nothing_of_the_server_or_of_another_fork(shared: Server, tmp_path: Path) -> None:
    waiting = job(tmp_path, WAITING, "60", **{job_client.VARIABLE: shared[0]})
    number_of(waiting)
    started = job(tmp_path, HOLDING, **{job_client.VARIABLE: shared[0]})
    held = started.communicate()[0].splitlines()
    waiting.kill()
    assert started.returncode == 0
    assert str(tmp_path / "job.py") in held
    assert [one for one in held if not one.startswith("/")] == [], "connections, pipes and processes"


@pytest.mark.parametrize(
    ("jobs", "given", "old", "starts"),
    [
        (5, {}, False, True),
        (4, {}, False, False),
        (5, GIVEN, False, False),
        (5, {}, True, False),
    ],
)
def test_a_run_starts_a_server_for_several_jobs_if_the_system_can(
    jobs: int, given: dict[str, str], old: bool, starts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    launched = []
    monkeypatch.setattr(os, "environ", {**given})
    monkeypatch.setattr(job_server, "_running", [])
    monkeypatch.setattr(job_server, "launch", launched.append)
    if old:
        monkeypatch.setattr(os, "pidfd_open", Mock(side_effect=OSError(errno.ENOSYS, "not implemented")))
    job_server.start(jobs)
    assert len(launched) == starts
    assert (job_client.VARIABLE in os.environ) == (starts or given == GIVEN)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_another_user_is_not_served(shared: Server) -> None:
    child = os.fork()
    if child == 0:
        answer = b"none in time"
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
            os.setuid(NOBODY)
            client.settimeout(30)
            client.connect(job_client.address(shared[0]))
            answer = client.recv(16)
        os._exit(len(answer))
    assert os.waitid(os.P_PID, child, os.WEXITED).si_status == 0


def test_signals_that_are_ignored_stay_ignored(shared: Server, tmp_path: Path) -> None:
    """As Ctrl-C is by the jobs of a run, which the run itself ends."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        waiting = job(tmp_path, WAITING, "2", **{job_client.VARIABLE: shared[0]})
    finally:
        signal.signal(signal.SIGINT, before)
    number_of(waiting)
    waiting.send_signal(signal.SIGINT)
    assert waiting.communicate() == ("done\n", "")
