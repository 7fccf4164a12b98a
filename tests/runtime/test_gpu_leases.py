"""Tests of GPU leases: each process has its own GPUs until it ends. No GPU is needed, only CUDA_VISIBLE_DEVICES."""

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

SRC = Path(gpu_leases.__file__).resolve().parents[2]
JOB = """
import os, sys
from asdlib.runtime import gpu_leases
gpu_leases.WAIT = 0.02
gpu_leases.lease(int(sys.argv[1]))
print(os.environ.get("CUDA_VISIBLE_DEVICES"), flush=True)
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
        started.append(subprocess.Popen(command, env=found, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def sees(process: Job) -> str:
    """Wait until a job has its GPUs and return their names."""
    return process.stdout.readline().strip()


def waits(process: Job) -> bool:
    return not select.select([process.stdout], [], [], 1.0)[0]


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
    one.communicate("\n")
    assert waits(greedy)
    assert sees(job(1, CUDA_VISIBLE_DEVICES="0,1,2")) == "0"


@pytest.mark.parametrize(
    ("gpus", "environment", "seen"),
    [
        (1, {"CUDA_VISIBLE_DEVICES": "0,1", "SLURM_JOB_ID": "7"}, "0,1"),
        (2, {"CUDA_VISIBLE_DEVICES": "0,1"}, "0,1"),
        (1, {"CUDA_VISIBLE_DEVICES": "3"}, "3"),
        (1, {"CUDA_VISIBLE_DEVICES": ""}, ""),
    ],
    ids=["SLURM has chosen", "all are asked for", "the user has chosen", "there is none"],
)
def test_where_there_is_nothing_to_choose(job, gpus: int, environment: dict, seen: str, tmp_path: Path) -> None:
    for _ in range(2):
        assert sees(job(gpus, **environment)) == seen
    assert not list(tmp_path.iterdir())


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
    refused(lambda: gpu_leases.lease(1), rf"{tmp_path}/asdlib-gpus-\d+: cannot be locked \(File exists\): {remedy}")

    def none() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    refused(lambda: gpu_leases.lease(1), rf"asdlib-gpus-\d+: cannot be locked \(No usable .*\): {remedy}")


def test_a_device_is_leased_before_cuda_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from asdlib.runtime import devices

    order = []
    monkeypatch.setattr(devices, "lease", lambda gpus: order.append(gpus))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: order.append("asked"))
    assert devices.choose_device("auto", 2).type == "cpu"
    assert order == [2, "asked"]
    devices.choose_device("cpu", 1)
    devices.choose_device("auto", 0)
    assert order == [2, "asked", "asked", "asked"]


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
