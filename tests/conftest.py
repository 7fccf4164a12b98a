"""What tests of several folders share."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

# Before torch is imported: pytest runs a process per core, and more threads than cores wait for each other. A training
# of 17 s took 128 s.
os.environ["OMP_NUM_THREADS"] = "1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that none is left alone at the end: SLURM's jobs, then Snakemake's."""
    items.sort(key=lambda item: (not item.get_closest_marker("slurm"), not item.get_closest_marker("workflow")))


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 kB: its mount point. Skipped where mounting is not allowed."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("NOT CHECKED HERE: a full or read-only disk needs root and mount")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
