"""Settings and fixtures that tests of several folders share."""

import gc
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# Must be set before torch is imported. Pytest runs one process per core; with more threads than cores, a training took
# 128 s instead of 17 s.
os.environ["OMP_NUM_THREADS"] = "1"

_GPUS = os.environ.get("CUDA_VISIBLE_DEVICES")

# Containers often set it. Hundreds of processes would then each compile the library, and every run all tests.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# A shell starts a background job, and nohup a program, with some signals ignored, and all children inherit that. The
# tests of what a signal does would then wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_collection() -> None:
    """Search nothing for garbage while files are imported: nearly all that they make stays."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Search for garbage again, but not in what has been imported."""
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the slowest tests first, so that all processes finish together: of SLURM, other long ones, of Snakemake."""
    first = ("slurm", "long", "workflow")
    items.sort(key=lambda item: [item.get_closest_marker(name) is None for name in first])


@pytest.fixture(autouse=True)
def undone_settings() -> Iterator[None]:
    """Take back what a step has set in this process: threads, since two made tests up to 15 times slower, and GPUs."""
    yield
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    os.environ.pop("CUDA_VISIBLE_DEVICES", None)
    if _GPUS is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = _GPUS


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of 64 kB and return its mount point; skip the test if mounting is not allowed."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("NOT CHECKED HERE: a full or read-only disk needs root and mount")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
