"""The device of a job: when CUDA is asked, and what happens if it does not compute."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers.old_driver import old_driver

from asdlib.errors import AsdError
from asdlib.runtime import devices

SRC = Path(__file__).parents[2] / "src"


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch):
    """Return a function that pretends that using CUDA raises an error; None: it computes."""
    monkeypatch.setattr(devices, "claim", lambda gpus: gpus)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")

    def pretend(error: Exception | None) -> None:
        def ones(*_: object, device: str) -> torch.Tensor:
            assert device == "cuda"
            if error:
                raise error
            return torch.zeros(1)

        monkeypatch.setattr(torch, "ones", ones)

    return pretend


def test_a_device_is_leased_before_cuda_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    order = []
    monkeypatch.setattr(devices, "claim", lambda gpus: order.append(gpus) or gpus)
    monkeypatch.setattr(devices, "why_cuda_fails", lambda: order.append("asked") or "no driver")
    assert devices.choose_device("auto", 2).type == "cpu"
    assert order == [2, "asked"]
    devices.choose_device("cpu", 1)
    devices.choose_device("auto", 0)
    assert order == [2, "asked", 0], "a job on the CPU leaves CUDA alone"


DRIVER = "The NVIDIA driver on your system is too old (found version 12040). Please update your GPU driver by"
KERNEL = "CUDA error: no kernel image is available for execution on the device\nSearch for `cudaErrorNoKernelImage'"
FABRIC = "Unexpected error from cudaGetDeviceCount(). Did you …? Error 802: system not yet initialized"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError(DRIVER), "The NVIDIA driver on your system is too old (found version 12040)"),
        (RuntimeError(KERNEL), "CUDA error: no kernel image is available for execution on the device"),
        (RuntimeError(FABRIC), FABRIC),
        (AssertionError("Torch not compiled with CUDA enabled"), "Torch not compiled with CUDA enabled"),
        (torch.cuda.DeferredCudaCallError("no GPU 7"), "no GPU 7"),
    ],
)
def test_a_gpu_on_which_cuda_does_not_compute_is_left_alone_and_said(cuda, caplog, error, reason: str) -> None:
    cuda(error)
    with pytest.raises(AsdError) as refused:
        devices.choose_device("cuda", 1)
    where = "config: device: cuda: this machine has no usable GPU"
    assert str(refused.value) == f"{where} ({reason}): set device: auto or cpu"
    assert devices.choose_device("auto", 1).type == "cpu"
    assert caplog.messages == [
        f"device: auto: CUDA does not compute on GPU 0,1 ({reason}): computing on the CPU; set device: cuda to stop "
        "instead"
    ]
    assert os.environ["CUDA_VISIBLE_DEVICES"] == ""


def test_a_machine_without_a_gpu_computes_on_the_cpu_without_a_word(cuda, caplog, monkeypatch) -> None:
    cuda(RuntimeError("Found no NVIDIA driver on your system."))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with caplog.at_level(logging.DEBUG):
        assert devices.choose_device("auto", 1).type == "cpu"
    assert caplog.messages == []


@pytest.mark.parametrize("error", [None, torch.OutOfMemoryError("CUDA out of memory.")])
def test_a_gpu_that_computes_is_used_also_if_its_memory_is_taken_for_now(cuda, error, caplog) -> None:
    cuda(error)
    assert devices.choose_device("auto", 1) == devices.choose_device("cuda", 1) == torch.device("cuda", 0)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0,1"
    assert caplog.messages == []


def test_further_processes_of_a_training_leave_its_first_gpu_alone(cuda, monkeypatch) -> None:
    cuda(RuntimeError("asked"))
    monkeypatch.setattr(devices, "is_first", lambda: False)
    assert devices.choose_device("auto", 2).type == "cuda"


def test_the_gpus_that_slurm_granted_count_and_not_those_that_the_rule_asks_for(cuda, monkeypatch) -> None:
    cuda(None)
    for granted, device in ((1, "cuda"), (0, "cpu")):
        monkeypatch.setattr(devices, "claim", lambda gpus, granted=granted: granted)
        assert devices.choose_device("auto", 1 - granted).type == device
    with pytest.raises(AsdError, match=r"^config: device: cuda: the job was granted no GPU \(resources: gpu=0\): set"):
        devices.choose_device("cuda", 1)


STEP = """
import json, os, torch
import asdlib.training.fabric  # lets PyTorch count the GPUs that the driver shows
from asdlib.runtime import gpus
from asdlib.runtime.devices import choose_device
weight = torch.ones(1, requires_grad=True)
weight.sum().backward()
def step():
    try:
        torch.optim.Adam([weight]).step()
    except RuntimeError as error:
        return str(error).splitlines()[0]
before = [torch.cuda.is_available(), step()]
chosen = choose_device({device!r}, 1).type
print(json.dumps([gpus.installed(), gpus.supported_cuda(), before, chosen, torch.cuda.is_available(), step()]))
"""


@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_a_training_runs_on_the_cpu_beside_a_driver_that_is_too_old(tmp_path: Path, device: str) -> None:
    """PyTorch's own optimisers fail there, even if all is on the CPU, as long as the GPUs are not hidden."""
    environment = {**os.environ, **old_driver(tmp_path), "PYTHONPATH": str(SRC), "TMPDIR": str(tmp_path)}
    program = [sys.executable, "-W", "ignore", "-c", STEP.format(device=device)]
    done = subprocess.run(program, env=environment, capture_output=True, text=True, check=True)
    fault = "CUDA error: CUDA driver version is insufficient for CUDA runtime version"
    assert json.loads(done.stdout) == [2, "12.4", [True, fault], "cpu", False, None]
