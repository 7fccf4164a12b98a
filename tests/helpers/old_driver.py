"""A machine with two GPUs whose driver is too old for PyTorch, which asks the driver's own libraries."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

SOURCE = Path(__file__).with_suffix(".c")


def old_driver(folder: Path) -> dict[str, str]:
    """Return environment variables for a process that finds such a driver; skip the test where there can be none."""
    compiler = shutil.which("cc")
    if compiler is None or int((torch.version.cuda or "0").partition(".")[0]) < 13:
        pytest.skip("NOT CHECKED HERE: a driver for CUDA 12.4 needs a C compiler and a PyTorch for CUDA 13")
    for name in ("libcuda.so.1", "libnvidia-ml.so.1"):
        subprocess.run([compiler, "-shared", "-fPIC", f"-Wl,-soname,{name}", "-o", folder / name, SOURCE], check=True)
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("LD_LIBRARY_PATH")]))
    return {"LD_LIBRARY_PATH": path, "CUDA_VISIBLE_DEVICES": "0,1"}
