"""Tests of GPU leases: each process has its own GPUs until it ends. No GPU is needed, only CUDA_VISIBLE_DEVICES."""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from helpers.refusals import refused

from asdlib.runtime import gpu_leases
from asdlib.runtime.job_environment import STARTED_BY

SRC = Path(gpu_leases.__file__).resolve().parents[2]
JOB = """
import os, sys
from asdlib.runtime import gpu_leases
gpu_leases.WAIT = 0.02
found = gpu_leases.claim(int(sys.argv[1]))
print(os.environ.get("CUDA_VISIBLE_DEVICES"), found, flush=True)
input()
"""
Job = subprocess.Popen[str]


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Callable[..., Job]]:
    """Return a function that starts a job, which leases GPUs and runs until it is killed."""
    started = []

    def start(gpus: int, **environment: str) -> Job:
        found = {"PYTHONPATH": str(SRC), "TMPDIR": str(tmp_path), **environment}
        command = [sys.executable, "-c", JOB, str(gpus)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        started.append(subprocess.Popen(command, env=found, text=True, **pipes))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def sees(process: Job) -> str:
    """Wait until a job has its GPUs and return their names."""
    return process.stdout.readline().rpartition(" ")[0]


def counts(process: Job) -> int:
    """Wait until a job has its GPUs and return how many it may use."""
    return int(process.stdout.readline().rpartition(" ")[2])


def waits(process: Job) -> bool:
    """Return whether a job that has just been started says that it waits."""
    ready = select.select([process.stdout, process.stderr], [], [])[0]
    return ready == [process.stderr] and process.stderr.readline().startswith("all GPUs are in use: waiting")


def still_waits(process: Job) -> bool:
    return not select.select([process.stdout], [], [], 0.5)[0]


def test_two_jobs_have_different_gpus_and_a_third_waits_until_one_ends(job) -> None:
    first, second = job(1, CUDA_VISIBLE_DEVICES="4,GPU-a"), job(1, CUDA_VISIBLE_DEVICES="4,GPU-a")
    assert {sees(first), sees(second)} == {"4", "GPU-a"}
    third = job(1, CUDA_VISIBLE_DEVICES="4,GPU-a")
    assert waits(third)
    first.communicate("\n")
    assert sees(third) in ("4", "GPU-a")


def test_a_killed_job_frees_its_gpu(job) -> None:
    for _ in range(2):
        first, second = job(1, CUDA_VISIBLE_DEVICES="0,1"), job(1, CUDA_VISIBLE_DEVICES="0,1")
        assert {sees(first), sees(second)} == {"0", "1"}
        for process in (first, second):
            process.send_signal(signal.SIGKILL)
            process.wait()


def test_a_job_that_waits_for_two_holds_none(job) -> None:
    one = job(1, CUDA_VISIBLE_DEVICES="0,1,2")
    assert sees(one) == "0"
    two = job(2, CUDA_VISIBLE_DEVICES="0,1,2")
    assert sees(two) == "1,2"
    greedy = job(2, CUDA_VISIBLE_DEVICES="0,1,2")
    assert waits(greedy)
    one.communicate("\n")
    assert still_waits(greedy)
    assert sees(job(1, CUDA_VISIBLE_DEVICES="0,1,2")) == "0"


@pytest.mark.parametrize(
    ("gpus", "visible", "seen"),
    [
        (1, "3", "3"),
        (2, "0,1", "0,1"),
        (2, "GPU-5a", "GPU-5a"),
        (1, "MIG-GPU-5a/1/0", "MIG-GPU-5a/1/0"),
        (1, "0,-1,1", "0"),
        (1, "0, NoDevFiles,1", "0"),
        (2, "1,1", "1"),
    ],
)
def test_two_jobs_never_share_a_gpu(job, gpus: int, visible: str, seen: str) -> None:
    """Not even if there is no choice; CUDA ignores everything after an entry that names no GPU."""
    first = job(gpus, CUDA_VISIBLE_DEVICES=visible)
    assert sees(first) == seen
    second = job(gpus, CUDA_VISIBLE_DEVICES=visible)
    assert waits(second)
    first.communicate("\n")
    assert sees(second) == seen


@pytest.mark.parametrize(
    ("gpus", "visible"), [(1, ""), (1, "-1"), (1, "NoDevFiles"), (0, "0,1")], ids=["none", "-1", "old SLURM", "asks 0"]
)
def test_a_job_without_a_gpu_locks_none(job, gpus: int, visible: str, tmp_path: Path) -> None:
    assert sees(job(gpus, CUDA_VISIBLE_DEVICES=visible)) == visible
    assert not list(tmp_path.iterdir())


ALLOCATION = {"CUDA_VISIBLE_DEVICES": "0,1", "SLURM_JOB_ID": "7", "SLURM_JOB_GPUS": "0,1"}


def test_jobs_of_a_run_inside_an_allocation_have_a_gpu_each(job, tmp_path: Path) -> None:
    first, second = job(1, **ALLOCATION), job(1, **ALLOCATION)
    assert {sees(first), sees(second)} == {"0", "1"}
    assert waits(job(1, **ALLOCATION))
    assert [path.name for path in tmp_path.iterdir()] == [f"asdlib-gpus-{os.getuid()}-job-7"]
    other = ALLOCATION | {"SLURM_JOB_ID": "8", "ASDLIB_SLURM_JOB": "7"}  # its GPUs are also numbered from 0
    assert sees(job(1, **other)) == "0"


@pytest.mark.parametrize(
    ("gpus", "granted", "found"),
    [
        (0, {"CUDA_VISIBLE_DEVICES": "0,1", "SLURM_JOB_GPUS": "4,5"}, 2),
        (2, {"CUDA_VISIBLE_DEVICES": "0,1", "SLURM_JOB_GPUS": "4,5"}, 2),
        (0, {"CUDA_VISIBLE_DEVICES": "0", "SLURM_STEP_GPUS": "3"}, 1),
        (0, {"CUDA_VISIBLE_DEVICES": "MIG-5a", "SLURM_GPUS_ON_NODE": "1"}, 1),
        (0, {"CUDA_VISIBLE_DEVICES": "0,1"}, 0),
        (1, {"CUDA_VISIBLE_DEVICES": "", "SLURM_GPUS_ON_NODE": "0"}, 0),
        (1, {}, 1),
    ],
    ids=["two by gres", "two", "by gres", "MIG", "variable of the login node", "none", "SLURM says nothing"],
)
def test_a_job_of_slurm_counts_what_it_was_granted(job, gpus: int, granted: dict, found: int, tmp_path: Path) -> None:
    for _ in range(2):
        assert counts(job(gpus, SLURM_JOB_ID="7", ASDLIB_SLURM_JOB="7", **granted)) == found
    assert not list(tmp_path.iterdir())


def test_jobs_of_one_group_in_an_allocation_of_slurm_have_a_gpu_each(job) -> None:
    group = ALLOCATION | {"ASDLIB_SLURM_JOB": "7"}
    assert {sees(job(1, **group)), sees(job(1, **group))} == {"0", "1"}
    assert waits(job(1, **group))


STARTS_A_JOB = """
import os, subprocess, sys
from asdlib.runtime import gpu_leases
gpu_leases.claim(int(sys.argv[2]))
if len(sys.argv) > 3:
    os.environ["CUDA_VISIBLE_DEVICES"] = sys.argv[3]
sys.exit(subprocess.run([sys.executable, "-c", sys.argv[1], "1"]).returncode)
"""


@pytest.mark.parametrize(
    ("leased", "chosen", "seen"), [("1", [], "0"), ("2", ["1"], "1"), ("1", ["2"], "2")], ids=["own", "part", "other"]
)
def test_a_process_that_a_holder_starts_uses_its_lease(leased, chosen, seen, tmp_path: Path) -> None:
    """It would wait for its parent, which waits for it. For a GPU that its parent does not hold it takes a lease."""
    found = {"PYTHONPATH": str(SRC), "TMPDIR": str(tmp_path), "CUDA_VISIBLE_DEVICES": "0,1,2"}
    command = [sys.executable, "-c", STARTS_A_JOB, JOB, leased, *chosen]
    done = subprocess.run(command, env=found, input="\n", text=True, capture_output=True, timeout=20, check=True)
    assert (done.stdout, done.stderr) == (f"{seen} 1\n", "")
    locks = len(list(tmp_path.glob("*/*.lock")))
    assert locks == int(leased) + (chosen == ["2"])


@pytest.mark.parametrize("holder", ["1", "999999999", "", "0,1"])
def test_a_lease_of_a_process_that_is_no_parent_does_not_count(job, holder: str, tmp_path: Path) -> None:
    assert sees(job(1, CUDA_VISIBLE_DEVICES="0", ASDLIB_GPU_LEASE=f"{holder}:5,6")) == "0"
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], text=True, capture_output=True)
    assert waits(job(1, CUDA_VISIBLE_DEVICES="0", ASDLIB_GPU_LEASE=f"{ended.stdout.strip()}:0"))


def test_the_other_processes_of_a_training_use_the_lease_of_the_first(job) -> None:
    first = job(2, CUDA_VISIBLE_DEVICES="0,1,2")
    assert sees(first) == "0,1"
    other = {"LOCAL_RANK": "1", STARTED_BY: str(os.getpid())}
    assert sees(job(2, CUDA_VISIBLE_DEVICES="0,1", **other)) == "0,1"


def test_a_rank_that_another_program_has_set_is_no_other_process(job) -> None:
    """Such as torchrun, or a script of the site: the job would compute without a lease."""
    assert sees(job(1, CUDA_VISIBLE_DEVICES="0", LOCAL_RANK="1")) == "0"
    assert waits(job(1, CUDA_VISIBLE_DEVICES="0", LOCAL_RANK="1"))


def test_a_step_that_waits_for_a_gpu_ends_at_sigterm(job, tmp_path: Path) -> None:
    assert sees(job(1, CUDA_VISIBLE_DEVICES="0")) == "0"
    described = tmp_path / "job.json"
    described.write_text(json.dumps({"settings": None, "code": "", "arguments": {"gpus": 1}}))
    program = (
        "from asdlib.runtime.gpu_leases import claim\n"
        "from asdlib.steps.command import run\n"
        "def step(gpus: int) -> None:\n"
        "    claim(gpus)\n"
        "run(step)\n"
    )
    environment = {"PYTHONPATH": str(SRC), "TMPDIR": str(tmp_path), "CUDA_VISIBLE_DEVICES": "0"}
    command = [sys.executable, "-c", program, str(described)]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as step:
        assert "all GPUs are in use: waiting" in step.stderr.readline()
        step.terminate()
        assert step.wait(timeout=20) == 143


def test_another_user_s_locks_are_none_of_ours(job, tmp_path: Path) -> None:
    (tmp_path / f"asdlib-gpus-{os.getuid() + 1}").touch()  # would be in the way if it were ours
    assert sees(job(1, CUDA_VISIBLE_DEVICES="0,1")) == "0"
    assert (tmp_path / f"asdlib-gpus-{os.getuid()}").stat().st_mode & 0o777 == 0o700


def test_without_a_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / f"asdlib-gpus-{os.getuid()}").touch()
    remedy = "set TMPDIR to a local folder that you may write into"
    refused(lambda: gpu_leases.claim(1), rf"{tmp_path}/asdlib-gpus-\d+: cannot be locked \(File exists\): {remedy}")

    def none() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    refused(lambda: gpu_leases.claim(1), rf"asdlib-gpus-\d+: cannot be locked \(No usable .*\): {remedy}")


def test_no_step_asks_cuda_before_it_has_a_lease() -> None:
    """A library that used CUDA on import would fix the visible GPUs, because CUDA reads its variable only once."""
    program = (
        "import torch\n"
        "asked = []\n"
        "torch._C._cuda_getDeviceCount = torch._C._cuda_init = lambda *_: asked.append(1) or 0\n"
        "import asdlib.steps.train_model, asdlib.steps.train_separator, asdlib.steps.embed, asdlib.steps.separate\n"
        "print(asked)\n"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(SRC)}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
